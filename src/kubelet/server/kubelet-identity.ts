import type { TLSSocket } from 'node:tls';

/** Who calls the kubelet. */
export interface KubeletCaller {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** Of the verified client certificate: CN is the name, each O a group. Undefined when there is none. */
export function callerOfCertificate(socket: TLSSocket): KubeletCaller | undefined {
  if (!socket.authorized) return undefined;
  const { subject, ext_key_usage: usages } = socket.getPeerCertificate();
  if (!subject?.CN) return undefined;
  const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
  if (usages && !usages.includes(CLIENT_AUTH)) return undefined;
  // Node has a list where there are several.
  const organizations = ([] as string[]).concat(subject.O ?? []);
  return { name: ([] as string[]).concat(subject.CN)[0]!, groups: [...organizations, 'system:authenticated'] };
}
