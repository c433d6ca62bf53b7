// Reads a JSON list of custom resources; prints a JSON list of {object, errors}: what their schemas say, and keys that the
// schemas do not know. A validator reads every key that it knows: one that nobody has read is unknown.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readFileSync } from 'node:fs';

const models = {
  'monitoring.coreos.com/v1': ['prometheus-operator', 'monitoring.coreos.com/v1'],
  'keda.sh/v1alpha1': ['keda', 'keda.sh/v1alpha1'],
  'gateway.networking.k8s.io/v1': ['gateway-api', 'gateway.networking.k8s.io/v1'],
};

function watched(value, path, unread) {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item, i) => watched(item, `${path}/${i}`, unread));
  const copy = {};
  for (const [key, item] of Object.entries(value)) {
    unread.add(`${path}/${key}`);
    copy[key] = watched(item, `${path}/${key}`, unread);
  }
  return new Proxy(copy, {
    get(target, key) {
      unread.delete(`${path}/${String(key)}`);
      return target[key];
    },
  });
}

async function validator(object) {
  const [family, version] = models[object.apiVersion];
  const folder = join(process.argv[2], 'node_modules/@kubernetes-models', family);
  const model = readFileSync(join(folder, version, `${object.kind}.js`), 'utf8');
  const schema = join(folder, model.match(/_schemas\/\w+\.js/)[0]);
  return (await import(pathToFileURL(schema))).validate;
}

const results = [];
for (const object of JSON.parse(readFileSync(0, 'utf8'))) {
  const validate = await validator(object);
  const unread = new Set();
  validate(watched(object, '', unread));
  const errors = (validate.errors ?? []).map((error) => `${error.instancePath}: ${error.message ?? error.keyword} ${JSON.stringify(error.params)}`);
  // Labels and annotations are checked by Kubernetes' own schema of metadata, which lets any key pass.
  errors.push(...[...unread].filter((path) => !path.startsWith('/metadata/')).map((path) => `${path}: unknown key`));
  results.push({ object: `${object.kind} ${object.metadata?.name}`, errors });
}
console.log(JSON.stringify(results));
