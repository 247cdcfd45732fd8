import { join } from 'node:path';
import type { Component } from '../graph/component.ts';
import { PLUGIN_HOST } from '../identities.ts';
import { type ClusterParts, type Connection, connect } from '../parts.ts';

/** The plugin host: loads `--plugins` and runs what ConfigMaps configure. */
export function pluginsComponent(parts: ClusterParts): Component {
  const { config, logger } = parts;
  let connection: Connection | undefined;
  let host: { stop(): Promise<void> } | undefined;
  const pluginClients: Connection[] = [];
  return {
    name: 'plugins',
    phase: 4,
    requires: ['apiserver'],
    async start() {
      if (config.disable.has('plugins')) return { skipped: 'disabled' };
      if (!config.plugins) return { skipped: 'no plugin directory is given (--plugins DIR)' };
      const { PluginHost, pluginServiceAccount } = await import('../../plugins/host.ts');
      connection = parts.connect(PLUGIN_HOST, 'k8ts-plugin-host');
      const created = new PluginHost({
        ...connection,
        directory: config.plugins,
        extensionPoints: parts.security,
        clientFor: (plugin) => {
          const name = `system:serviceaccount:kube-system:${pluginServiceAccount(plugin)}`;
          const groups = ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'];
          const own = connect(parts.api.transport({ name, groups }, `plugin-${plugin}`), logger);
          pluginClients.push(own);
          return own.client;
        },
        logger,
        ...(config.dataDir ? { workDirectory: join(config.dataDir, 'plugins') } : {}),
      });
      host = created;
      await created.start();
    },
    async stop() {
      await host?.stop();
      for (const own of pluginClients) await own.close();
      await connection?.close();
    },
  };
}
