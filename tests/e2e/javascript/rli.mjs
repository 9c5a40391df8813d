// The secret commands of the vendor's command @runloop/rl-cli 1.17.0, which its registry does not
// always serve: the same checks, the same calls, through the client library of its version.
import Runloop from 'rl-cli-client';

function checkBaseUrl() {
  const url = new URL(process.env.RUNLOOP_BASE_URL);
  const isBare = !url.port && !url.pathname.replace(/\/+$/, '') && !url.search && !url.hash;
  if (url.protocol !== 'https:' || !url.hostname.startsWith('api.') || !isBare) {
    console.error('Error: expected format: https://api.<domain>');
    process.exit(1);
  }
}

async function valueFromInput() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString().trim();
}

const commands = {
  create: async (client, name) =>
    (await client.secrets.create({ name, value: await valueFromInput() })).id,
  update: async (client, name) =>
    (await client.secrets.update(name, { value: await valueFromInput() })).id,
  list: async (client) =>
    JSON.stringify((await client.secrets.list({ limit: 5000 })).secrets ?? []),
  get: async (client, name) => {
    const listed = await client.secrets.list({ limit: 5000 });
    return JSON.stringify(listed.secrets?.find((secret) => secret.name === name));
  },
  delete: async (client, name) => {
    const secret = await client.secrets.delete(name);
    return `Deleted secret "${name}" (${secret.id})`;
  },
};

checkBaseUrl();
const client = new Runloop({
  bearerToken: process.env.RUNLOOP_API_KEY,
  defaultHeaders: { 'User-Agent': 'Runloop/JS - CLI 1.16.2' },
});
const [command, name] = process.argv.slice(2);
try {
  console.log(await commands[command](client, name));
} catch (error) {
  console.error(`  ${error.message}`);
  process.exit(1);
}
