import { describe, expect, it } from 'vitest';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import type { WebhookClient } from '../webhooks/webhook-client.ts';
import { webhookConverter } from './webhook-conversion.ts';

interface Review {
  readonly request: { readonly uid: string; readonly desiredAPIVersion: string; readonly objects: object[] };
}

const object = (name: string, apiVersion = 'example.com/v1') =>
  ({ apiVersion, kind: 'Lamp', metadata: { name, uid: name, labels: { a: 'b' } } }) as unknown as UnstructuredObject;

function convert(answer: (request: Review['request']) => object, objects = [object('one')]) {
  const client = {
    async post({ body }: { body: Review }) {
      const { uid } = body.request;
      return {
        kind: 'ConversionReview',
        apiVersion: 'apiextensions.k8s.io/v1',
        response: { uid, result: { status: 'Success' }, ...answer(body.request) },
      };
    },
  } as unknown as WebhookClient;
  const webhook = { conversionReviewVersions: ['v1'], clientConfig: { url: 'https://hook' } };
  return webhookConverter(webhook, client)(objects, 'example.com/v2');
}

const failed = (why: string) => ({
  code: 500,
  message: `conversion webhook for example.com/v1, Kind=Lamp ${why}`,
});
const failure = async (answer: (request: Review['request']) => object) => {
  const error = await convert(answer).catch((caught) => caught);
  return { code: error.code, message: error.message };
};

describe('conversion by a webhook', () => {
  it('asks for what is in another version, and keeps the order', async () => {
    const asked: number[] = [];
    const converted = await convert(
      ({ objects, desiredAPIVersion }) => {
        asked.push(objects.length);
        return { convertedObjects: objects.map((given) => ({ ...given, apiVersion: desiredAPIVersion })) };
      },
      [object('one'), object('two', 'example.com/v2'), object('three')],
    );
    expect(asked).toEqual([2]);
    expect(converted.map(({ apiVersion, metadata }) => `${apiVersion} ${metadata.name}`)).toEqual([
      'example.com/v2 one',
      'example.com/v2 two',
      'example.com/v2 three',
    ]);
  });

  it('fails in the words of upstream', async () => {
    expect(
      await failure(() => {
        throw new Error('connection refused');
      }),
    ).toEqual(failed('failed: connection refused'));
    expect(await failure(() => ({ result: { status: 'Failure', message: 'no such field' } }))).toEqual(
      failed('failed: no such field'),
    );
    expect(await failure(() => ({ result: {} }))).toEqual(
      failed("failed: response.result.status was '', not 'Success'"),
    );
    expect(await failure(() => ({ convertedObjects: [] }))).toEqual(failed('returned 0 objects, expected 1'));
    expect(await failure(({ objects }) => ({ convertedObjects: objects }))).toEqual(
      failed(
        'returned invalid object at index 0: invalid groupVersion (expected example.com/v2, received example.com/v1)',
      ),
    );
    expect(await failure(() => ({ convertedObjects: [object('other', 'example.com/v2')] }))).toEqual(
      failed('returned invalid object: must have the same name: one != other'),
    );
    const labelled = { ...object('one', 'example.com/v2'), metadata: { name: 'one', uid: 'one', labels: { a: '?' } } };
    expect((await failure(() => ({ convertedObjects: [labelled] }))).message).toContain(
      'returned invalid metadata: metadata.labels: Invalid value: "?": a valid label must be',
    );
    expect((await failure(() => ({ uid: 'x' }))).message).toContain('failed: expected response.uid=');
  });
});
