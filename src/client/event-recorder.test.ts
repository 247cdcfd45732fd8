import { describe, expect, it } from 'vitest';
import { silentLogger } from '../apimachinery/logger.ts';
import { createClient } from './create-client.ts';
import { createEventRecorder } from './event-recorder.ts';
import { Events } from './resource-types.gen.ts';
import { createFakeTransport } from './testing/fake-transport.ts';

const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'default', uid: 'u1' } };

function setUp() {
  const api = createFakeTransport();
  const recorder = createEventRecorder({ client: createClient(api), logger: silentLogger, component: 'test' });
  return { api, recorder };
}

describe('event recorder', () => {
  it('counts repeated events on one object', async () => {
    const { api, recorder } = setUp();
    for (let i = 0; i < 3; i++) recorder.event(pod, 'Warning', 'BackOff', 'Back-off restarting');
    recorder.event(pod, 'Normal', 'Pulled', 'Image is there');
    await recorder.stop();
    const events = api.list(Events, 'default');
    expect(events.map(({ reason, count }) => [reason, count])).toEqual([
      ['BackOff', 3],
      ['Pulled', 1],
    ]);
    expect(events[0]).toMatchObject({ involvedObject: { kind: 'Pod', name: 'web', uid: 'u1' }, type: 'Warning' });
  });

  it('combines similar events and cuts off a flood', async () => {
    const { api, recorder } = setUp();
    for (let i = 0; i < 100; i++) recorder.event(pod, 'Warning', 'Failed', `attempt ${i}`);
    await recorder.stop();
    const events = api.list(Events, 'default');
    expect(events).toHaveLength(10);
    const combined = events.find(({ message }) => message?.startsWith('(combined from similar events): '));
    expect(combined?.count).toBe(16);
  });

  it('tells an expired event anew, and never throws', async () => {
    const { api, recorder } = setUp();
    recorder.event(pod, 'Normal', 'Started', 'x');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const [first] = api.list(Events);
    api.remove(Events, first!.metadata.name, 'default');
    recorder.event(pod, 'Normal', 'Started', 'x');
    recorder.event({} as never, 'Normal', 'Broken', 'x');
    await recorder.stop();
    expect(api.list(Events).map(({ count }) => count)).toEqual([1]);
  });
});
