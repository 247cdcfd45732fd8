import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Transport } from '../../apimachinery/transport.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Creates the object unless it is there. */
export async function ensure(transport: Transport, collection: string, object: Fields): Promise<void> {
  try {
    await transport.request({ method: 'POST', path: collection, body: object });
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
  }
}

/** Creates the object, or gives the one that is there these `fields`. */
export async function ensureFields(
  transport: Transport,
  collection: string,
  object: Fields,
  fields: Fields,
): Promise<void> {
  const { name } = object.metadata as { name: string };
  try {
    await transport.request({ method: 'POST', path: collection, body: { ...object, ...fields } });
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
    const path = `${collection}/${name}`;
    const { body } = await transport.request<Fields>({ method: 'GET', path });
    if (Object.keys(fields).every((field) => deepEqual(body[field], fields[field]))) return;
    await transport.request({ method: 'PUT', path, body: { ...body, ...fields } });
  }
}
