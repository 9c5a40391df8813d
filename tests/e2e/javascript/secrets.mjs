// Uses the official client as anyone would, and prints what it answered: one JSON object.
import Runloop from '@runloop/api-client';

const client = new Runloop();
const answers = {};

async function record(name, call) {
  try {
    answers[name] = await call();
  } catch (error) {
    answers[name] = { error: error.constructor.name, status: error.status, message: error.message };
  }
}

await record('created', () => client.secrets.create({ name: 'FIRST', value: 'grüße ✓\n' }));
await record('duplicate', () => client.secrets.create({ name: 'FIRST', value: 'again' }));
await record('illegal', () => client.secrets.create({ name: '1-st', value: 'x' }));
await record('second', () => client.secrets.create({ name: 'SECOND', value: 'x' }));
await record('third', () => client.secrets.create({ name: 'THIRD', value: 'x' }));
await record('updated', () => client.secrets.update('SECOND', { value: 'y' }));
await record('retrieved', () => client.secrets.retrieve('SECOND'));
await record('missing', () => client.secrets.retrieve('NONE'));
await record('odd', () => client.secrets.retrieve('a/b%x?y'));
await record('page', () => client.secrets.list({ limit: 2 }));
await record('rest', () =>
  client.secrets.list({ query: { starting_after: answers.page.secrets[1].id } }));
await record('tooMany', () => client.secrets.list({ limit: 5001 }));
await record('deleted', () => client.secrets.delete('THIRD'));
await record('deletedWithBody', () => client.secrets.delete('SECOND', {}));
await record('deletedTwice', () => client.secrets.delete('THIRD'));
await record('left', () => client.secrets.list());
await record('wrongKey', () => new Runloop({ bearerToken: 'ak_wrong' }).secrets.list());

console.log(JSON.stringify(answers));
process.exit(0);
