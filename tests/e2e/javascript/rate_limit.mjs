// Sends requests with the official client until the server has refused one, and prints in seconds
// for how long the client was told to wait, and for how long it did.
import Runloop from '@runloop/api-client';

let refusedAt;
const found = {};

async function watched(url, options) {
  if (refusedAt && !found.waited) found.waited = (performance.now() - refusedAt) / 1000;
  const answer = await fetch(url, options);
  if (answer.status === 429 && !refusedAt) {
    refusedAt = performance.now();
    found.told = Number(answer.headers.get('retry-after'));
  }
  return answer;
}

const client = new Runloop({ fetch: watched });
const deadline = performance.now() + 60_000;
while (!found.waited && performance.now() < deadline) await client.secrets.list();

console.log(JSON.stringify(found));
process.exit(0);
