// An Express server that answers with the path as its router reads it.
import express from "express";

const application = express();
application.all("/{*path}", (request, response) => {
  response.type("text/plain").send(`/${(request.params.path ?? []).join("/")}`);
});
const server = application.listen(0, "127.0.0.1", () => {
  console.log(server.address().port);
});
process.stdin.resume().on("end", () => process.exit());
