import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedCluster, startEmbedded } from '../support/embedded-cluster.ts';
import { eventually } from '../support/eventually.ts';
import { type Kubectl, runCommand } from '../support/kubectl.ts';
import { listOf, signingRequest } from './every-kind.ts';

describe('kubectl commands', () => {
  let embedded: EmbeddedCluster;
  let kubectl: Kubectl;

  beforeAll(async () => {
    embedded = await startEmbedded({ nodes: 1 });
    kubectl = await embedded.kubectl();
  });
  afterAll(() => embedded.stop());

  const lines = (text: string) => text.trimEnd().split('\n');
  const configMap = (name: string, labels: object = {}) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels },
    data: { key: 'value' },
  });

  describe('about the cluster', () => {
    it('cluster-info, version, api-versions, api-resources, raw paths', async () => {
      expect(await kubectl('cluster-info')).toContain(embedded.server);
      expect(JSON.parse(await kubectl('version -o json')).serverVersion).toMatchObject({
        major: '1',
        minor: '36',
        gitVersion: expect.stringMatching(/^v1\.36\./),
      });
      const versions = lines(await kubectl('api-versions'));
      for (const version of [
        'v1',
        'apps/v1',
        'autoscaling/v1',
        'autoscaling/v2',
        'batch/v1',
        'policy/v1',
        'rbac.authorization.k8s.io/v1',
      ])
        expect(versions).toContain(version);
      expect(await kubectl('api-resources --api-group apps')).toMatch(
        /^deployments +deploy +apps\/v1 +true +Deployment$/m,
      );
      expect(lines(await kubectl('api-resources --namespaced=false -o name'))).toContain('nodes');
      expect(await kubectl('get --raw /readyz')).toBe('ok');
      expect(JSON.parse(await kubectl('get --raw /apis/apps/v1')).kind).toBe('APIResourceList');
    });

    it('auth can-i and whoami', async () => {
      expect(await kubectl('auth can-i delete nodes')).toBe('yes\n');
      const denied = await kubectl.run('auth can-i list secrets --as system:serviceaccount:default:default');
      expect([denied.code, denied.stdout]).toEqual([1, 'no\n']);
      expect(await kubectl('auth can-i --list --as system:serviceaccount:default:default')).toMatch(
        /selfsubjectaccessreviews\.authorization\.k8s\.io +\[\] +\[\] +\[create\]/,
      );
      expect(await kubectl('auth whoami')).toMatch(
        /Username +kubernetes-admin\nGroups +\[system:masters system:authenticated\]/,
      );
      expect(await kubectl('auth whoami --as someone --as-group team')).toMatch(
        /Username +someone\nGroups +\[team system:authenticated\]/,
      );
    });

    it('auth reconcile', async () => {
      const role = {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'reader', namespace: 'default' },
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }],
      };
      expect(await kubectl('auth reconcile -f -', { input: JSON.stringify(role) })).toContain('reader reconciled');
    });

    it('creates a token that works, and with which audience and life it says', async () => {
      await kubectl('create serviceaccount robot');
      const token = (await kubectl('create token robot --duration 30m')).trim();
      const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
      expect(claims).toMatchObject({
        sub: 'system:serviceaccount:default:robot',
        'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'robot' } },
      });
      expect(claims.exp - claims.iat).toBe(1800);
      const robot = [...noCredentials(embedded), '--token', token];
      expect((await runCommand(kubectl.path, [...robot, 'auth', 'whoami'])).stdout).toMatch(
        /Username +system:serviceaccount:default:robot\n/,
      );
      const forbidden = await runCommand(kubectl.path, [...robot, 'get', 'pods']);
      expect(forbidden.stderr).toBe(
        'Error from server (Forbidden): pods is forbidden: User "system:serviceaccount:default:robot" cannot list resource "pods" in API group "" in the namespace "default"\n',
      );
    });

    it('certificate approve: the certificate works', async () => {
      const spec = {
        request: signingRequest('/O=team/CN=alice'),
        signerName: 'kubernetes.io/kube-apiserver-client',
        usages: ['client auth'],
        expirationSeconds: 3600,
      };
      const csr = {
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        metadata: { name: 'alice' },
        spec,
      };
      await kubectl('create -f -', { input: JSON.stringify(csr) });
      expect(await kubectl('get csr alice --no-headers')).toMatch(/kubernetes-admin +60m +Pending$/m);
      expect(await kubectl('certificate approve alice')).toBe(
        'certificatesigningrequest.certificates.k8s.io/alice approved\n',
      );
      await kubectl(['wait', 'csr/alice', '--for=jsonpath={.status.certificate}', '--timeout=10s']);
      expect(await kubectl('get csr alice --no-headers')).toContain('Approved,Issued');
      await kubectl('create -f -', { input: JSON.stringify({ ...csr, metadata: { name: 'mallory' } }) });
      await kubectl('certificate deny mallory');
      expect(await kubectl('get csr mallory --no-headers')).toContain('Denied');
    });
  });

  describe('reading', () => {
    let kubectl: Kubectl;
    beforeAll(async () => {
      kubectl = await embedded.kubectl('reading');
      await kubectl('create namespace reading');
      const items = Array.from({ length: 25 }, (_, i) =>
        configMap(`cm-${String(i).padStart(2, '0')}`, { parity: i % 2 ? 'odd' : 'even', n: String(i) }),
      );
      await kubectl('create -f -', { input: listOf(items) });
    });
    const names = (text: string) => lines(text).map((line) => line.replace('configmap/', ''));

    it('in chunks', async () => {
      const chunked = await kubectl('get configmaps --chunk-size 4 -o name');
      expect(lines(chunked)).toHaveLength(26);
      expect(chunked).toBe(await kubectl('get configmaps --chunk-size 0 -o name'));
    });

    it('by label and field', async () => {
      expect(names(await kubectl('get cm -o name -l parity=odd'))).toHaveLength(12);
      expect(names(await kubectl(['get', 'cm', '-o', 'name', '-l', 'parity in (even),n notin (0,2),n']))).toHaveLength(
        11,
      );
      expect(names(await kubectl(['get', 'cm', '-o', 'name', '-l', '!parity']))).toEqual(['kube-root-ca.crt']);
      expect(names(await kubectl('get cm -o name --field-selector metadata.name=cm-07'))).toEqual(['cm-07']);
      expect(names(await kubectl('get cm -o name --field-selector metadata.name!=cm-07 -l parity=odd'))).toHaveLength(
        11,
      );
      expect((await kubectl.run('get cm --field-selector data.key=value')).stderr).toContain(
        '"data.key" is not a known field selector: only "metadata.name", "metadata.namespace"',
      );
      expect((await kubectl.run(['get', 'cm', '-l', 'a=b=c'])).stderr).toContain(
        "found '=', expected: ',' or 'end of string'",
      );
    });

    it('all namespaces, sorted', async () => {
      const sorted = lines(await kubectl('get namespaces --sort-by=.metadata.name -o name'));
      expect(sorted).toEqual([...sorted].sort());
      expect(await kubectl('get configmaps -A --sort-by=.metadata.creationTimestamp')).toMatch(
        /^NAMESPACE +NAME +DATA +AGE\n/,
      );
      expect(await kubectl('get all -A')).toMatch(/^default +service\/kubernetes +ClusterIP/m);
      expect((await kubectl.run('get pods')).stderr).toBe('No resources found in reading namespace.\n');
    });

    it('watches', async () => {
      const watch = spawn(
        kubectl.path,
        [
          '--kubeconfig',
          kubectl.kubeconfig,
          '-n',
          'reading',
          'get',
          'configmaps',
          '-l',
          'watched=yes',
          '--watch',
          '--output-watch-events',
          '-o',
          'custom-columns=:type,:.object.metadata.name,:.object.data.key',
          '--no-headers',
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let output = '';
      watch.stdout.on('data', (chunk) => {
        output += chunk;
      });
      try {
        await kubectl('create -f -', { input: JSON.stringify(configMap('w', { watched: 'yes' })) });
        await eventually(() => expect(output).toContain('ADDED'), { timeoutMs: 5_000 });
        await kubectl(['patch', 'cm', 'w', '-p', '{"data":{"key":"other"}}']);
        await kubectl('label cm w watched-');
        await eventually(
          () =>
            expect(lines(output).map((line) => line.trim().split(/\s+/))).toEqual([
              ['ADDED', 'w', 'value'],
              ['MODIFIED', 'w', 'other'],
              ['DELETED', 'w', 'other'],
            ]),
          { timeoutMs: 5_000 },
        );
      } finally {
        watch.kill();
      }
    });
  });

  describe('changing', () => {
    it('edits with the editor of the user', async () => {
      await kubectl('create -f -', { input: JSON.stringify(configMap('edited')) });
      const editor = join(embedded.folder, 'editor.sh');
      const edit = async (script: string, ...args: string[]) => {
        writeFileSync(editor, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
        return runCommand('env', [
          `KUBE_EDITOR=${editor}`,
          kubectl.path,
          '--kubeconfig',
          kubectl.kubeconfig,
          'edit',
          ...args,
        ]);
      };
      expect(await edit('sed -i "s/key: value/key: edited/" "$1"', 'configmap/edited')).toMatchObject({
        code: 0,
        stdout: 'configmap/edited edited\n',
      });
      expect((await kubectl.get<{ data: object }>('cm edited')).data).toEqual({ key: 'edited' });
      expect((await edit('true', 'configmap/edited')).stderr).toContain('Edit cancelled, no changes made.');
      // What is invalid comes back into the editor, with the reason; leaving it as it is gives up.
      const seen = join(embedded.folder, 'seen.yaml');
      const wrong = await edit(
        `grep -q 'was not valid' "$1" && cp "$1" ${seen}; sed -i 's/key: edited/not valid: x/' "$1"`,
        'configmap/edited',
      );
      expect(wrong.stderr).toContain('configmaps "edited" is invalid');
      expect(readFileSync(seen, 'utf8')).toContain(
        '# configmaps "edited" was not valid:\n# * data[not valid]: Invalid value',
      );
    });

    it('scales, sets, rolls out and back', async () => {
      await kubectl('create deployment web --image=registry.example/web:1 --replicas=2 --port=80');
      expect(await kubectl('rollout status deployment/web --timeout=20s')).toContain('successfully rolled out');
      expect(await kubectl('scale deployment/web --replicas=3 --current-replicas=2')).toBe(
        'deployment.apps/web scaled\n',
      );
      expect((await kubectl.run('scale deployment/web --replicas=4 --current-replicas=2')).stderr).toContain(
        'Expected replicas to be 2, was 3',
      );
      await kubectl('rollout status deployment/web --timeout=20s');
      expect(await kubectl('get deployment web --no-headers')).toMatch(/^web +3\/3 +3 +3 /);

      expect(await kubectl('set image deployment/web web=registry.example/web:2')).toContain('image updated');
      expect(await kubectl('set env deployment/web MODE=fast')).toContain('env updated');
      expect(await kubectl('set resources deployment/web --requests=cpu=10m')).toContain(
        'resource requirements updated',
      );
      expect(await kubectl('set serviceaccount deployment/web default')).toContain('serviceaccount updated');
      await kubectl('rollout status deployment/web --timeout=20s');
      expect(await kubectl('rollout history deployment/web')).toMatch(/REVISION +CHANGE-CAUSE\n1 +<none>\n/);
      expect(await kubectl('rollout history deployment/web --revision=1')).toContain('registry.example/web:1');
      expect(await kubectl('rollout undo deployment/web --to-revision=1')).toContain('rolled back');
      await kubectl('rollout status deployment/web --timeout=20s');
      expect(await kubectl('get deployment web -o jsonpath={.spec.template.spec.containers[0].image}')).toBe(
        'registry.example/web:1',
      );
      expect(await kubectl('rollout pause deployment/web')).toContain('paused');
      expect(await kubectl('rollout resume deployment/web')).toContain('resumed');
      expect(await kubectl('rollout restart deployment/web')).toContain('restarted');
      await kubectl('rollout status deployment/web --timeout=20s');
      const replicaSet = (await kubectl('get rs -l app=web --no-headers -o custom-columns=:.metadata.name')).split(
        '\n',
      )[0]!;
      expect(await kubectl(`scale rs/${replicaSet} --replicas=1`)).toContain('scaled');
    });

    it('exposes and autoscales', async () => {
      expect(await kubectl('expose deployment web --port=80 --name=web')).toBe('service/web exposed\n');
      expect(await kubectl('get service web --no-headers')).toMatch(
        /^web +ClusterIP +10\.96\.\d+\.\d+ +<none> +80\/TCP /,
      );
      expect(await kubectl('set selector service web app=web')).toContain('selector updated');
      await kubectl('create service nodeport np --tcp=80:8080');
      expect(await kubectl('get service np -o jsonpath={.spec.ports[0].nodePort}')).toMatch(/^3[0-2]\d{3}$/);
      expect(await kubectl('autoscale deployment web --min=1 --max=5 --cpu=80%')).toBe(
        'horizontalpodautoscaler.autoscaling/web autoscaled\n',
      );
      expect(
        await kubectl(
          'get horizontalpodautoscalers.v1.autoscaling web -o jsonpath={.spec.targetCPUUtilizationPercentage}',
        ),
      ).toBe('80');
      await kubectl('delete hpa web');
    });

    it('creates by generators', async () => {
      const made = await Promise.all([
        kubectl('create configmap c --from-literal=a=b'),
        kubectl('create secret generic s --from-literal=a=b'),
        kubectl('create secret docker-registry d --docker-server=r --docker-username=u --docker-password=p'),
        kubectl('create quota q --hard=pods=100'),
        kubectl('create role r --verb=get,list --resource=pods'),
        kubectl('create rolebinding rb --role=r --user=u'),
        kubectl('create clusterrole interop-cr --verb=get --non-resource-url=/metrics'),
        kubectl('create clusterrolebinding interop-crb --clusterrole=view --group=g'),
        kubectl('create priorityclass interop-pc --value=5'),
        kubectl('create poddisruptionbudget p --selector=app=none --min-available=1'),
        kubectl('create ingress i --rule=host.example/path*=web:80'),
        kubectl(['create', 'cronjob', 'cj', '--image=i', '--schedule=*/5 * * * *']),
        kubectl('create job j --image=registry.example/job:1'),
        kubectl('run one --image=registry.example/one:1'),
      ]);
      for (const output of made) expect(output).toMatch(/ created\n$/);
      expect(await kubectl('create job from-cron --from=cronjob/cj')).toContain('created');
    });

    it('waits', async () => {
      expect(await kubectl('wait pod/one --for=condition=Ready --timeout=20s')).toBe('pod/one condition met\n');
      expect(await kubectl(['wait', 'pod/one', '--for=jsonpath={.status.phase}=Running', '--timeout=5s'])).toBe(
        'pod/one condition met\n',
      );
      expect((await kubectl.run('wait pod/one --for=condition=Nothing --timeout=1s')).stderr).toContain(
        'timed out waiting for the condition on pods/one',
      );
      await kubectl('delete pod one --wait=false --grace-period=1');
      await kubectl('wait pod/one --for=delete --timeout=40s');
      expect(await kubectl('get pod one --ignore-not-found')).toBe('');
    });

    it('cordons, drains and taints a node', async () => {
      const [node] = names(await kubectl('get nodes -o name'));
      expect(await kubectl(`cordon ${node}`)).toContain('cordoned');
      expect(await kubectl('get nodes --no-headers')).toContain('Ready,SchedulingDisabled');
      expect(
        await kubectl(
          `drain ${node} --ignore-daemonsets --delete-emptydir-data --force --timeout=40s --grace-period=1`,
        ),
      ).toContain('drained');
      expect(await kubectl(`uncordon ${node}`)).toContain('uncordoned');
      expect(await kubectl(`taint nodes ${node} a=b:NoSchedule`)).toContain('tainted');
      expect(await kubectl(`taint nodes ${node} a=b:NoSchedule-`)).toContain('untainted');
    });
    const names = (text: string) => lines(text).map((line) => line.replace('node/', ''));
  });

  describe('deleting', () => {
    const deployment = async (name: string) => {
      await kubectl(`create deployment ${name} --image=registry.example/d:1 --replicas=1`);
      await kubectl(`rollout status deployment/${name} --timeout=20s`);
    };

    it('in the foreground: dependents first', async () => {
      await deployment('foreground');
      await kubectl('delete deployment foreground --cascade=foreground --timeout=40s');
      expect(await kubectl('get rs,pods -l app=foreground -o name')).toBe('');
    });

    it('leaving orphans', async () => {
      await deployment('orphan');
      await kubectl('delete deployment orphan --cascade=orphan --timeout=20s');
      const { items } = await kubectl.get<{ items: { metadata: { ownerReferences?: unknown } }[] }>('rs -l app=orphan');
      expect(items.map(({ metadata }) => metadata.ownerReferences)).toEqual([undefined]);
      await kubectl('delete rs -l app=orphan --timeout=20s');
      await eventually(async () => expect(await kubectl('get pods -l app=orphan -o name')).toBe(''), {
        timeoutMs: 40_000,
      });
    });

    it('by selector, all, raw, and a namespace with all that is in it', async () => {
      await kubectl('create namespace doomed');
      await kubectl('create deployment d -n doomed --image=registry.example/d:1 --replicas=2');
      await kubectl('create configmap a -n doomed');
      await kubectl('create configmap b -n doomed');
      await kubectl('label configmap a -n doomed which=a');
      expect(await kubectl('delete configmap -n doomed -l which=a')).toBe(
        'configmap "a" deleted from doomed namespace\n',
      );
      expect(await kubectl('delete --raw /api/v1/namespaces/doomed/configmaps/b')).toContain('"status":"Success"');
      await kubectl('delete namespace doomed --timeout=60s');
      expect(await kubectl('get pods,configmaps,deployments -n doomed -o name')).toBe('');
      expect((await kubectl.run('create configmap late -n doomed')).stderr).toBe(
        'error: failed to create configmap: namespaces "doomed" not found\n',
      );
    });
  });
});

/** Flags of a kubectl that comes without an identity. */
function noCredentials(embedded: EmbeddedCluster): string[] {
  const ca = join(embedded.folder, 'ca.crt');
  writeFileSync(ca, embedded.identity.ca);
  return ['--kubeconfig', '/dev/null', '--server', embedded.server, '--certificate-authority', ca];
}
