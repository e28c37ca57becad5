import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { rootFile } from '../architecture/source-files.js';

const read = (file: string) => readFileSync(rootFile(`docs/deployment/${file}`), 'utf8');

interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Record<string, unknown>;
}

describe('docs/deployment/kubernetes.yaml', () => {
  const documents = parseAllDocuments(read('kubernetes.yaml'));
  const resources = documents.map((document) => document.toJS() as Resource);
  const specOf = (kind: string) => resources.find((resource) => resource.kind === kind)!.spec;

  it('is YAML without errors or warnings', () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    expect(resources.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)).toEqual([
      'apps/v1 Deployment',
      'v1 Service',
      'policy/v1 PodDisruptionBudget',
      'networking.k8s.io/v1 Ingress',
    ]);
  });

  it('has labels, ports and names that fit together', () => {
    const deployment = specOf('Deployment') as {
      selector: { matchLabels: object };
      template: { metadata: { labels: object }; spec: { containers: { ports: { name: string }[] }[] } };
    };
    const service = specOf('Service') as { selector: object; ports: { name: string; targetPort: string }[] };
    const { labels } = deployment.template.metadata;
    expect([deployment.selector.matchLabels, service.selector]).toEqual([labels, labels]);
    expect(service.ports[0]!.targetPort).toBe(deployment.template.spec.containers[0]!.ports[0]!.name);
    expect(JSON.stringify(specOf('Ingress'))).toContain(`{"name":"${resources[1]!.metadata.name}","port":{"name":"${service.ports[0]!.name}"}}`);
  });

  it('leaves time for clients to be told: longer than preStop and the five seconds of the shutdown', () => {
    const { spec } = (specOf('Deployment') as { template: { spec: { terminationGracePeriodSeconds: number; containers: never[] } } }).template;
    const [{ lifecycle }] = spec.containers as unknown as [{ lifecycle: { preStop: { exec: { command: string[] } } } }];
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(Number(lifecycle.preStop.exec.command[1]) + 5);
  });
});

it('docs/deployment/xmpp-app.service has sections and settings, each setting once', () => {
  const seen = new Map<string, string[]>();
  for (const line of read('xmpp-app.service').split('\n')) {
    const section = /^\[(\w+)\]$/.exec(line);
    const setting = /^(\w+)=(.*)$/.exec(line);
    if (section) seen.set(section[1]!, []);
    else if (setting) [...seen.values()].at(-1)!.push(setting[1]!);
    else expect(line).toMatch(/^(#.*)?$/);
  }
  expect([...seen.keys()]).toEqual(['Unit', 'Service', 'Install']);
  for (const settings of seen.values()) expect(new Set(settings).size).toBe(settings.length);
  expect(seen.get('Service')).toEqual(expect.arrayContaining(['ExecStart', 'TimeoutStopSec', 'LimitNOFILE']));
});
