import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import dnsPacket, { type Answer, type Packet } from 'dns-packet';
import ipaddr from 'ipaddr.js';
import type { Logger } from '../../apimachinery/logger.ts';
import type { ClusterRecords, DnsRecord } from './records.ts';
import { forwardQuery, lengthOf } from './upstream.ts';

export interface DnsServerOptions {
  readonly records: ClusterRecords;
  readonly upstreams: readonly string[];
  readonly address: string;
  /** 0 takes a free one, the same for UDP and TCP. */
  readonly port: number;
  /** Only these may ask: an open resolver is a weapon. */
  readonly allowedRanges: readonly string[];
  /** As well as hosts that come and go: nodes. */
  isAllowed?(address: string): boolean;
  readonly logger: Logger;
}

const MAX_TCP_CONNECTIONS = 200;
const TCP_IDLE_MS = 10_000;
const MAX_CNAMES = 8;

/** Cluster DNS over UDP and TCP (RFC 1035, RFC 6891 for larger UDP answers). */
export class DnsServer {
  readonly #options: DnsServerOptions;
  readonly #allowed: readonly [ipaddr.IPv4 | ipaddr.IPv6, number][];
  readonly #connections = new Set<Socket>();
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;
  port = 0;

  constructor(options: DnsServerOptions) {
    this.#options = options;
    this.#allowed = options.allowedRanges.map((range) => ipaddr.parseCIDR(range));
  }

  async start(): Promise<void> {
    const { address, port } = this.#options;
    this.#tcp = createServer((socket) => this.#serveTcp(socket));
    await new Promise<void>((resolve, reject) => {
      this.#tcp!.once('error', reject);
      this.#tcp!.listen(port, address, resolve);
    });
    this.port = (this.#tcp.address() as { port: number }).port;
    this.#udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    this.#udp.on('message', (message, remote) => {
      if (this.#mayAsk(remote.address))
        void this.#answer(message, false).then((reply) => reply && this.#udp?.send(reply, remote.port, remote.address));
    });
    await new Promise<void>((resolve, reject) => {
      this.#udp!.once('error', reject);
      this.#udp!.bind(this.port, address, resolve);
    });
    const onError = (error: Error) => this.#options.logger.warn({ err: error }, 'a DNS socket failed');
    this.#udp.on('error', onError);
    this.#tcp.on('error', onError);
  }

  async stop(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => (this.#udp ? this.#udp.close(() => resolve()) : resolve())),
      new Promise<void>((resolve) => (this.#tcp?.listening ? this.#tcp.close(() => resolve()) : resolve())),
    ]);
    this.#udp = undefined;
  }

  #mayAsk(address: string): boolean {
    const parsed = ipaddr.process(address);
    if (this.#options.isAllowed?.(parsed.toString())) return true;
    return this.#allowed.some(([range, bits]) => parsed.kind() === range.kind() && parsed.match(range, bits));
  }

  #serveTcp(socket: Socket): void {
    if (this.#connections.size >= MAX_TCP_CONNECTIONS || !this.#mayAsk(socket.remoteAddress ?? '')) {
      socket.destroy();
      return;
    }
    this.#connections.add(socket);
    socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
    let received = Buffer.alloc(0);
    socket.on('data', async (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const message = received.subarray(2, 2 + received.readUInt16BE(0));
        received = received.subarray(2 + message.length);
        const reply = await this.#answer(message, true);
        if (reply && socket.writable) socket.write(Buffer.concat([lengthOf(reply), reply]));
      }
    });
  }

  /** The reply's bytes, or nothing for what is no query. Never rejects. */
  async #answer(message: Buffer, overTcp: boolean): Promise<Buffer | undefined> {
    if (message.length < 12 || (message[2]! & 0x80) !== 0) return undefined; // no query
    if (!hasPlainCounts(message)) return errorReply(message, FORMAT_ERROR);
    let query: Packet;
    try {
      query = dnsPacket.decode(message);
    } catch {
      return errorReply(message, FORMAT_ERROR);
    }
    try {
      return await this.#answerQuery(query, message, overTcp);
    } catch (error) {
      this.#options.logger.debug({ err: error, question: query.questions?.[0]?.name }, 'a DNS query was not answered');
      return errorReply(message, SERVER_FAILURE);
    }
  }

  async #answerQuery(query: Packet, message: Buffer, overTcp: boolean): Promise<Buffer> {
    const question = query.questions?.[0];
    if (!question || query.questions!.length !== 1) return errorReply(message, FORMAT_ERROR);
    const name = question.name.toLowerCase();
    const { records, upstreams } = this.#options;
    const lookup = records.isAuthoritative(name)
      ? records.lookup(name, question.type)
      : records.reverse(name, question.type);
    if (!lookup) return await forwardQuery(message, upstreams, overTcp);
    // Clients that mix upper and lower case against forgery (0x20) expect their own spelling back.
    const answers = lookup.records.map((record) =>
      record.name === name ? { ...record, name: question.name } : record,
    );
    const followed = await this.#followAliases(answers, question.type, message, overTcp);
    const limit = overTcp ? 65_535 : udpLimit(query);
    return encode(query, { ...lookup, records: followed }, records.soa(), limit);
  }

  /** Adds what a CNAME points to, from the cluster or from upstream; without an answer there the CNAME stands alone. */
  async #followAliases(
    answers: readonly DnsRecord[],
    type: string,
    message: Buffer,
    overTcp: boolean,
  ): Promise<DnsRecord[]> {
    const result = [...answers];
    for (let depth = 0; depth < MAX_CNAMES; depth++) {
      const last = result.at(-1);
      if (last?.type !== 'CNAME' || type === 'CNAME') return result;
      const target = String(last.data).toLowerCase();
      if (this.#options.records.isAuthoritative(target)) {
        const next = this.#options.records.lookup(target, type).records;
        if (next.length === 0) return result;
        result.push(...next);
        continue;
      }
      const query = dnsPacket.encode({
        type: 'query',
        id: message.readUInt16BE(0),
        flags: dnsPacket.RECURSION_DESIRED,
        questions: [{ type: type as 'A', name: target }],
      });
      const reply = await forwardQuery(query, this.#options.upstreams, overTcp).catch(() => undefined);
      if (reply) result.push(...((dnsPacket.decode(reply).answers ?? []) as unknown as DnsRecord[]));
      return result;
    }
    return result;
  }
}

const FORMAT_ERROR = 1;
const SERVER_FAILURE = 2;
const NAME_ERROR = 3;

function udpLimit(query: Packet): number {
  const option = query.additionals?.find((record) => (record.type as string) === 'OPT') as
    | { udpPayloadSize?: number }
    | undefined;
  return Math.min(4096, Math.max(512, option?.udpPayloadSize ?? 512));
}

function encode(
  query: Packet,
  lookup: { exists: boolean; records: readonly DnsRecord[]; additionals?: readonly DnsRecord[] },
  soa: DnsRecord,
  limit: number,
): Buffer {
  const flags =
    dnsPacket.AUTHORITATIVE_ANSWER | dnsPacket.RECURSION_AVAILABLE | ((query.flags ?? 0) & dnsPacket.RECURSION_DESIRED);
  const opt = query.additionals?.some((record) => (record.type as string) === 'OPT')
    ? [{ type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [] }]
    : [];
  const build = (answers: readonly DnsRecord[], additionals: readonly DnsRecord[], extraFlags: number) =>
    dnsPacket.encode({
      type: 'response',
      id: query.id ?? 0,
      flags: flags | extraFlags | (lookup.exists ? 0 : NAME_ERROR),
      questions: query.questions ?? [],
      answers: shuffled(answers) as unknown as Answer[],
      authorities: (lookup.records.length ? [] : [soa]) as unknown as Answer[],
      additionals: [...additionals, ...opt] as unknown as Answer[],
    });
  const full = build(lookup.records, lookup.additionals ?? [], 0);
  if (full.length <= limit) return full;
  const bare = build(lookup.records, [], 0);
  if (bare.length <= limit) return bare;
  return build([], [], dnsPacket.TRUNCATED_RESPONSE);
}

/**
 * One question, no answers, and no more than EDNS and a signature beside it: what every query looks like. Decoding takes
 * time by the counts in the header, which cost the sender nothing.
 */
function hasPlainCounts(message: Buffer): boolean {
  return message.readUInt16BE(4) === 1 && message.readUInt32BE(6) === 0 && message.readUInt16BE(10) <= 2;
}

/** Addresses in changing order, so that clients which take the first spread over all. A CNAME chain keeps its order. */
function shuffled(records: readonly DnsRecord[]): readonly DnsRecord[] {
  if (records.length < 2 || records.some(({ type }) => type === 'CNAME')) return records;
  const at = Math.floor(Math.random() * records.length);
  return [...records.slice(at), ...records.slice(0, at)];
}

/** The query's header and question, marked as an answer with an error code. */
function errorReply(query: Buffer, code: number): Buffer {
  const reply = Buffer.from(query);
  reply[2] = (reply[2]! & 0x79) | 0x80;
  reply[3] = 0x80 | code;
  reply.writeUInt16BE(0, 6);
  reply.writeUInt16BE(0, 8);
  reply.writeUInt16BE(0, 10);
  reply.writeUInt16BE(code === FORMAT_ERROR ? 0 : query.readUInt16BE(4), 4);
  return code === FORMAT_ERROR ? reply.subarray(0, 12) : reply;
}
