import type { Logger } from '../../apimachinery/logger.ts';
import type { Kubelet } from '../../kubelet/kubelet.ts';
import type { Connection } from '../parts.ts';
import type { Pki } from '../pki/pki.ts';
import type { NodeParts } from './node.ts';

export interface KubeletServerHandle {
  readonly port: number;
  serve(kubelet: Kubelet): void;
  stop(): Promise<void>;
}

export async function startKubeletServer(_options: {
  connection: Connection;
  pki: Pki;
  node: NodeParts;
  logger: Logger;
}): Promise<KubeletServerHandle> {
  return { port: 10250, serve() {}, stop: async () => {} };
}
