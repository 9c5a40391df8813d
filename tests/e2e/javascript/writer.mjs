// Writes with the official client, one request after the other, until standard input ends. Prints
// each response that it got as a line of JSON, with the number of times that the client repeated
// the request by itself.
import Runloop from '@runloop/api-client';

const [prefix] = process.argv.slice(2);
const client = new Runloop();
const send = client.fetch;
let attempts = 0;
client.fetch = (...request) => {
  attempts += 1;
  return send(...request);
};

let isOver = false;
process.stdin.on('end', () => { isOver = true; }).resume();

async function write(kind, name, call) {
  attempts = 0;
  let error = null;
  try {
    await call();
  } catch (failure) {
    error = `${failure.constructor.name} ${failure.status}: ${failure.message}`;
  }
  console.log(JSON.stringify({ kind, name, retries: attempts - 1, error }));
}

for (let number = 0; !isOver; number += 1) {
  const name = `${prefix}_${number}`;
  await write('create', name, () => client.secrets.create({ name, value: 'a value' }));
  await write('update', name, () => client.secrets.update(name, { value: 'another' }));
  await write('api key', name, () => client.apikeys.create({ name }));
}
process.exit(0);
