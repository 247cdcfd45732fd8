import { createHash, randomUUID } from 'node:crypto';
import { typeFacts } from '../../api/facts/types.gen.ts';
import type { KindDefinition, KindRegistry } from '../../api/kind.ts';
import { schemaOf } from '../../api/schema.ts';
import { DESCRIPTIONS } from './descriptions.ts';
import { encodeGnosticDefinition, encodeGnosticDocument, encodeGnosticPath } from './gnostic.ts';
import { isBuiltin, kindSchema, listSchema } from './kind-schemas.ts';
import { pathsOf } from './operations.ts';
import { Paced } from './paced.ts';
import { renderPath, resourcesPath } from './render-path.ts';
import { type Dialect, type JsonObject, SchemaDocument } from './schema-document.ts';

export interface OpenApiDocument {
  readonly body: Buffer;
  /** Without quotes. */
  readonly etag: string;
}

/** Raised when the same kinds come out differently: clients keep documents by their hash. */
const REVISION = '1';
const INFO = { title: 'Kubernetes', version: 'v1.36.0' };

/** The OpenAPI documents of what the registry serves; each made when first asked for after a change. */
export class OpenApiDocuments {
  readonly #kinds: KindRegistry;
  readonly #documents = new Map<string, Promise<OpenApiDocument | undefined>>();
  readonly #marks = new WeakMap<KindDefinition, string>();
  readonly #stop: () => void;
  #groupVersions: ReadonlyMap<string, readonly KindDefinition[]> | undefined;
  #programHash: string | undefined;

  constructor(kinds: KindRegistry) {
    this.#kinds = kinds;
    this.#stop = kinds.onChange(() => {
      this.#groupVersions = undefined;
      this.#documents.clear();
    });
  }

  close(): void {
    this.#stop();
  }

  /** `/openapi/v3`: where the documents of groups and versions are. */
  index(): OpenApiDocument {
    const paths = Object.fromEntries(
      [...this.#byGroupVersion()].map(([path, kinds]) => [
        path,
        { serverRelativeURL: `/openapi/v3/${path}?hash=${this.#hashOf(path, kinds)}` },
      ]),
    );
    const body = Buffer.from(JSON.stringify({ paths }));
    return { body, etag: createHash('sha512').update(body).digest('hex').toUpperCase() };
  }

  /** `path` is `api/v1` or `apis/GROUP/VERSION`. */
  async v3(path: string): Promise<OpenApiDocument | undefined> {
    const kinds = this.#byGroupVersion().get(path);
    // Clients make up as many paths as they like.
    if (!kinds) return undefined;
    return this.#once(`v3/${path}`, async () => ({ body: await v3Document(kinds), etag: this.#hashOf(path, kinds) }));
  }

  v2(format: 'json' | 'protobuf'): Promise<OpenApiDocument | undefined> {
    return this.#once(`v2/${format}`, async () => {
      const all = [...this.#byGroupVersion()];
      const hash = createHash('sha512').update(format);
      for (const [path, kinds] of all) hash.update(this.#hashOf(path, kinds));
      const body = await (format === 'json'
        ? v2Json(all.map(([, kinds]) => kinds))
        : v2Protobuf(all.map(([, kinds]) => kinds)));
      return { body, etag: hash.digest('hex').toUpperCase() };
    });
  }

  #once(key: string, make: () => Promise<OpenApiDocument | undefined>): Promise<OpenApiDocument | undefined> {
    let document = this.#documents.get(key);
    if (!document) {
      document = make();
      this.#documents.set(key, document);
      document.catch(() => this.#documents.delete(key));
    }
    return document;
  }

  #byGroupVersion(): ReadonlyMap<string, readonly KindDefinition[]> {
    if (this.#groupVersions) return this.#groupVersions;
    const groups = new Map<string, KindDefinition[]>();
    for (const definition of this.#kinds.all()) {
      const { group, version } = definition;
      const path = group === '' ? `api/${version}` : `apis/${group}/${version}`;
      const kinds = groups.get(path);
      if (kinds) kinds.push(definition);
      else groups.set(path, [definition]);
    }
    this.#groupVersions = new Map([...groups].sort(([a], [b]) => (a < b ? -1 : 1)));
    return this.#groupVersions;
  }

  /** Changes with the document, and is known before it is made: it stands for what goes in. */
  #hashOf(path: string, kinds: readonly KindDefinition[]): string {
    this.#programHash ??= createHash('sha256')
      .update(REVISION)
      .update(typeFacts)
      .update(JSON.stringify(DESCRIPTIONS))
      .digest('hex');
    const hash = createHash('sha512').update(this.#programHash).update(path);
    for (const definition of kinds)
      hash.update(`\n${definition.resource} ${isBuiltin(definition) ? definition.kind : this.#markOf(definition)}`);
    return hash.digest('hex').toUpperCase();
  }

  /** A kind that was not there at build time may be another one the next time: no two have the same mark. */
  #markOf(definition: KindDefinition): string {
    let mark = this.#marks.get(definition);
    if (!mark) {
      mark = randomUUID();
      this.#marks.set(definition, mark);
    }
    return mark;
  }
}

/** Paths of one group and version; the schemas they need are then waiting in `document`. */
function* pathItems(
  kinds: readonly KindDefinition[],
  document: SchemaDocument,
  dialect: Dialect,
): Generator<readonly [path: string, item: JsonObject]> {
  const { group, version } = kinds[0]!;
  yield resourcesPath(group, version, document, dialect, schemaOf('meta.v1.APIResourceList'));
  for (const definition of kinds) {
    document.reference(kindSchema(definition));
    if (definition.verbs.includes('list')) document.reference(listSchema(definition));
    for (const path of pathsOf(definition)) yield [path.path, renderPath(path, document, dialect, group, version)];
  }
}

const member = ([name, value]: readonly [string, JsonObject]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`;

async function v3Document(kinds: readonly KindDefinition[]): Promise<Buffer> {
  const pace = new Paced();
  const document = new SchemaDocument('v3');
  const paths: string[] = [];
  for (const entry of pathItems(kinds, document, 'v3')) {
    paths.push(member(entry));
    await pace.breathe();
  }
  const schemas = await definitionsText(document, pace);
  const head = `{"openapi":"3.0.0","info":${JSON.stringify(INFO)},"paths":{`;
  const security =
    '"securitySchemes":{"BearerToken":{"type":"apiKey","description":"Bearer Token authentication","name":"authorization","in":"header"}}';
  return Buffer.from(`${head}${paths.join(',')}},"components":{"schemas":{${schemas.join(',')}},${security}}}`);
}

async function definitionsText(document: SchemaDocument, pace: Paced): Promise<string[]> {
  const texts: string[] = [];
  for (const entry of document.definitions()) {
    texts.push(member(entry));
    await pace.breathe();
  }
  return texts.sort();
}

async function v2Json(groups: readonly (readonly KindDefinition[])[]): Promise<Buffer> {
  const pace = new Paced();
  const document = new SchemaDocument('v2');
  const paths: string[] = [];
  for (const kinds of groups) {
    for (const entry of pathItems(kinds, document, 'v2')) {
      paths.push(member(entry));
      await pace.breathe();
    }
  }
  const definitions = await definitionsText(document, pace);
  const security =
    '"securityDefinitions":{"BearerToken":{"description":"Bearer Token authentication","type":"apiKey","name":"authorization","in":"header"}},"security":[{"BearerToken":[]}]';
  return Buffer.from(
    `{"swagger":"2.0","info":${JSON.stringify(INFO)},"paths":{${paths.join(',')}},"definitions":{${definitions.join(',')}},${security}}`,
  );
}

async function v2Protobuf(groups: readonly (readonly KindDefinition[])[]): Promise<Buffer> {
  const pace = new Paced();
  const document = new SchemaDocument('v2');
  const paths: Buffer[] = [];
  for (const kinds of groups) {
    for (const [path, item] of pathItems(kinds, document, 'v2')) {
      paths.push(encodeGnosticPath(path, item));
      await pace.breathe();
    }
  }
  const definitions: Buffer[] = [];
  for (const [name, definition] of document.definitions()) {
    definitions.push(encodeGnosticDefinition(name, definition));
    await pace.breathe();
  }
  return encodeGnosticDocument(INFO, paths, definitions);
}
