// Leads connections for one name at port 443 to a port of this machine, as DNS and a server of
// one's own would. The name stays in the handshake, so the certificate is checked for it.
const tls = require('node:tls');

const { API_NAME, API_PORT } = process.env;
const connect = tls.connect;
tls.connect = (options, ...rest) => {
  const leads = options.host === API_NAME && Number(options.port) === 443;
  const target = leads ? { servername: API_NAME, host: '127.0.0.1', port: API_PORT } : {};
  return connect({ ...options, ...target }, ...rest);
};
