// Creates secrets with the official client until a file appears; appends each name that was made to
// another file, and prints what failed after the client's own retries: one JSON array.
import { appendFileSync, existsSync } from 'node:fs';
import Runloop from '@runloop/api-client';

const [progress, stop] = process.argv.slice(2);
const client = new Runloop();
const failed = [];

async function create(writer) {
  for (let number = 0; !existsSync(stop); number += 1) {
    const name = `JS_${writer}_${number}`;
    try {
      await client.secrets.create({ name, value: 'a value' });
      appendFileSync(progress, `${name}\n`);
    } catch (error) {
      failed.push(`${name}: ${error.status} ${error.message}`);
    }
  }
}

async function list() {
  while (!existsSync(stop)) {
    try {
      await client.secrets.list({ limit: 5 });
    } catch (error) {
      failed.push(`list: ${error.status} ${error.message}`);
    }
  }
}

await Promise.all([create(0), create(1), list()]);
console.log(JSON.stringify(failed));
process.exit(0);
