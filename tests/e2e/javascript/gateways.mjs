// Uses the official client's gateway configs as anyone would: one JSON object of its answers.
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

await record('secret', () => client.secrets.create({ name: 'KEY', value: 'a credential' }));
await record('created', () =>
  client.gatewayConfigs.create({
    name: 'first',
    endpoint: 'https://api.example.com',
    auth_mechanism: { type: 'bearer' },
    description: 'for a test',
  }));
const id = answers.created.id;
await record('duplicate', () =>
  client.gatewayConfigs.create({
    name: 'first',
    endpoint: 'https://api.example.com',
    auth_mechanism: { type: 'bearer' },
  }));
await record('retrieved', () => client.gatewayConfigs.retrieve(id));
await record('byName', () => client.gatewayConfigs.retrieve('first'));
await record('untouched', () => client.gatewayConfigs.update(id));
await record('updated', () =>
  client.gatewayConfigs.update(id, {
    name: 'renamed',
    endpoint: 'https://api.example.org',
    auth_mechanism: { type: 'header', key: 'x-api-key' },
    custom_headers: [{ name: 'x-org', value: 'us' }],
  }));
await record('second', () =>
  client.gatewayConfigs.create({
    name: 'second',
    endpoint: 'https://api.example.com/v1',
    auth_mechanism: { type: 'basic' },
  }));
await record('listed', async () => {
  const names = [];
  for await (const config of client.gatewayConfigs.list({ limit: 2 })) names.push(config.name);
  return names;
});
await record('searched', async () =>
  (await client.gatewayConfigs.list({ name: 'renam', limit: 100 })).gateway_configs);
await record('token', () =>
  client.devboxes.createGatewayToken('my-box', { gateway: 'renamed', secret: 'KEY' }));
await record('tokenById', () =>
  client.devboxes.createGatewayToken('my-box', { gateway: id, secret: answers.secret.id }));
await record('systemToken', () =>
  client.devboxes.createGatewayToken('my-box', { gateway: 'anthropic', secret: 'KEY' }));
await record('noSuchGateway', () =>
  client.devboxes.createGatewayToken('my-box', { gateway: 'none', secret: 'KEY' }));
await record('deleted', () => client.gatewayConfigs.delete(id));
await record('deletedWithBody', () => client.gatewayConfigs.delete(answers.second.id, {}));
await record('deletedTwice', () => client.gatewayConfigs.delete(id));

console.log(JSON.stringify(answers));
process.exit(0);
