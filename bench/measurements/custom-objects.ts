import { load, openHttp1 } from '../support/http-client.ts';
import { type Bench, measureRows } from '../support/measure.ts';
import { customResourceDefinition, GROUP, widget } from '../support/objects.ts';
import { BULK_BYTES } from '../support/reference.ts';
import { median, number } from '../support/report.ts';
import { json, perRound } from './single-objects.ts';

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const SERVED = 10;
const LISTED = 2000;

export async function measureCustomObjects(bench: Bench, calls: number): Promise<void> {
  const client = openHttp1(bench.server.target, 16);
  const times: number[] = [];
  for (let at = 0; at < SERVED; at++) {
    const started = performance.now();
    await client.request(json('POST', DEFINITIONS, customResourceDefinition(`gadget${at}s`, `Gadget${at}`)));
    const path = `/apis/${GROUP}/v1/namespaces/bench/gadget${at}s`;
    while ((await client.request({ path }, false, [404])).status === 404);
    times.push(performance.now() - started);
  }
  process.stdout.write(
    `\na new CRD served: ${number(median(times))} ms after it was sent (of ${SERVED}; aim 10, upstream 26 to 30), wall time\n`,
  );

  await client.request(json('POST', DEFINITIONS, customResourceDefinition('widgets', 'Widget')));
  const widgets = `/apis/${GROUP}/v1/namespaces/bench/widgets`;
  while ((await client.request({ path: widgets }, false, [404])).status === 404);
  const units = perRound(calls);
  let next = 0;
  const create = (count: number) => load(client, count, 16, () => json('POST', widgets, widget(next++)));
  const get = () => load(client, units, 16, (at) => ({ path: `${widgets}/widget-${at % LISTED}` }));
  const remove = async (count: number) =>
    void (await load(client, count, 16, () => ({ method: 'DELETE', path: `${widgets}/widget-${--next}` })));
  const list = async () => void (await client.request({ path: widgets }));
  await create(LISTED);
  await get();
  await measureRows(bench, 'custom objects of 1 KB', [
    { name: 'create', units, run: () => create(units), against: 'http1', aim: 0.4, upstream: 2.84 },
  ]);
  await remove(next - LISTED);
  const { bytes } = await client.request({ path: widgets });
  await list();
  await measureRows(bench, `custom objects, ${LISTED} of them`, [
    { name: 'get', units, run: get, against: 'http1', aim: 0.1, upstream: 1.37 },
    {
      name: `list (${number(bytes / 1e6)} MB)`,
      units: 1,
      rounds: 5,
      run: list,
      against: 'bulk',
      share: bytes / BULK_BYTES,
      aim: 10,
      upstream: 130,
    },
  ]);
  await client.close();
}
