import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildImageTar, type ImageFile } from '../../src/kubelet/runtime/images/image-tar.ts';
import { runCommand } from './kubectl.ts';
import { root } from './tools.ts';

/** Commands the image has by name. `wget` is left out: Debian's static busybox crashes in it; see NODE_IMAGE's `ask`. */
const APPLETS = [
  'sh',
  'cat',
  'echo',
  'sleep',
  'ls',
  'httpd',
  'hostname',
  'nc',
  'nslookup',
  'date',
  'id',
  'env',
  'touch',
  'mkdir',
  'rm',
  'tar',
  'grep',
  'true',
  'false',
  'stat',
  'mount',
  'ps',
  'kill',
  'seq',
  'test',
  'dd',
  'df',
  'head',
  'tail',
  'cp',
  'mv',
  'chmod',
  'readlink',
  'printf',
  'ip',
  'stty',
  'wc',
  'sync',
  'yes',
  'find',
];

/** What `run-an-application` serves: its host name and a text, by HTTP on port 8080. */
const SERVE = `#!/bin/sh
mkdir -p /www/cgi-bin
hostname > /www/hostname
echo "$VERSION" > /www/version
echo "\${GREETING:-hello} from $(hostname)" > /www/index.html
echo "serving \${VERSION}"
trap 'exit 0' TERM
httpd -f -p 8080 -h /www &
wait
`;

/** Writes an OCI archive of a small image: busybox and, with a version, an HTTP server. Returns its path. */
export async function testImage(
  ref: string,
  options: { version?: string; files?: readonly ImageFile[] } = {},
): Promise<string> {
  const folder = join(root, '.cache', 'images');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${ref.replace(/[^\w.-]/g, '_')}.tar`);
  if (existsSync(file)) return file;
  const layer: ImageFile[] = [
    { path: 'bin/busybox', content: readFileSync('/bin/busybox'), mode: 0o755 },
    ...APPLETS.map((name) => ({ path: `bin/${name}`, link: 'busybox' })),
    { path: 'tmp/', mode: 0o1777 },
    { path: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' },
    { path: 'etc/group', content: 'root:x:0:\nnobody:x:65534:\n' },
    { path: 'bin/serve', content: SERVE, mode: 0o755 },
    ...(options.files ?? []),
  ];
  const config = {
    Env: ['PATH=/bin', `VERSION=${options.version ?? 'none'}`],
    Cmd: options.version ? ['/bin/serve'] : ['/bin/sh'],
  };
  writeFileSync(file, await buildImageTar({ ref, layers: [layer], config }));
  return file;
}

/** `ask [-n COUNT | -u FILE] URL`: prints the answers' bodies, COUNT times or until FILE exists; failures as `error: ...`. */
const ASK = `#!/bin/node
const fs = require('node:fs');
const args = process.argv.slice(2);
const option = (name) => { const at = args.indexOf(name); return at < 0 ? undefined : args.splice(at, 2)[1]; };
const count = Number(option('-n') ?? 1);
const until = option('-u');
const get = (url) => new Promise((resolve) => {
  const request = require('node:http').get(url, { agent: false, timeout: 5000 }, (response) => {
    let text = '';
    response.on('data', (chunk) => { text += chunk; });
    response.on('end', () => resolve(response.statusCode < 300 ? text : 'error: ' + response.statusCode + '\\n'));
  });
  request.on('timeout', () => request.destroy(new Error('timed out')));
  request.on('error', (error) => resolve('error: ' + (error.code ?? error.message) + '\\n'));
});
(async () => {
  for (let i = 0; until ? !fs.existsSync(until) : i < count; i++) process.stdout.write(await get(args[0]));
})();
`;

/** The Node on this machine with the libraries that it is linked to, and `ask`. */
async function nodeImage(): Promise<string> {
  const file = join(root, '.cache', 'images', 'node.tar');
  if (existsSync(file)) return file;
  mkdirSync(dirname(file), { recursive: true });
  const { stdout } = await runCommand('ldd', [process.execPath]);
  const libraries = [...stdout.matchAll(/(?:=>\s*)?(\/\S+) \(0x/g)].map((match) => match[1]!);
  const files: ImageFile[] = [
    { path: 'bin/node', content: readFileSync(process.execPath), mode: 0o755 },
    ...libraries.map((path) => ({ path: path.slice(1), content: readFileSync(path), mode: 0o755 })),
    { path: 'bin/busybox', content: readFileSync('/bin/busybox'), mode: 0o755 },
    ...APPLETS.map((name) => ({ path: `bin/${name}`, link: 'busybox' })),
    { path: 'bin/ask', content: ASK, mode: 0o755 },
    { path: 'tmp/', mode: 0o1777 },
  ];
  writeFileSync(
    file,
    await buildImageTar({ ref: NODE_IMAGE, layers: [files], config: { Env: ['PATH=/bin'], Cmd: ['/bin/node'] } }),
  );
  return file;
}

export const NODE_IMAGE = 'k8ts.test/node:1';
export const BUSYBOX = 'k8ts.test/busybox:1';
export const WEB_V1 = 'k8ts.test/web:v1';
export const WEB_V2 = 'k8ts.test/web:v2';

/** The images of most scenarios, as archives. */
export function testImages(): Promise<string[]> {
  return Promise.all([
    testImage(BUSYBOX),
    testImage(WEB_V1, { version: 'v1' }),
    testImage(WEB_V2, { version: 'v2' }),
    nodeImage(),
  ]);
}
