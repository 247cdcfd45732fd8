import os from 'node:os';
import type { KubeletPods } from '../../kubelet-pods.ts';
import type { NodeFigures } from './figures.ts';
import { totalOf } from './summary.ts';

type Labels = Readonly<Record<string, string>>;

/** A page of the Prometheus text format. */
class MetricsText {
  readonly #families = new Map<string, { readonly head: string; readonly samples: string[] }>();

  add(name: string, type: 'counter' | 'gauge', help: string, labels: Labels, value: number | undefined): void {
    if (value === undefined) return;
    let family = this.#families.get(name);
    if (!family) {
      family = { head: `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`, samples: [] };
      this.#families.set(name, family);
    }
    const text = Object.entries(labels).map(
      ([label, content]) =>
        `${label}="${content.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))}"`,
    );
    family.samples.push(`${name}${text.length ? `{${text.join(',')}}` : ''} ${value}\n`);
  }

  toString(): string {
    return [...this.#families.values()].map(({ head, samples }) => head + samples.join('')).join('');
  }
}

const seconds = (nanoseconds: number | undefined) => (nanoseconds === undefined ? undefined : nanoseconds / 1e9);

/** `/metrics/resource`: what metrics servers read. */
export function resourceMetrics({ node, pods }: NodeFigures): string {
  const text = new MetricsText();
  text.add(
    'node_cpu_usage_seconds_total',
    'counter',
    '[STABLE] Cumulative cpu time consumed by the node in core-seconds',
    {},
    seconds(node.cpuCoreNanoSeconds),
  );
  text.add(
    'node_memory_working_set_bytes',
    'gauge',
    '[STABLE] Current working set of the node in bytes',
    {},
    node.memoryWorkingSetBytes,
  );
  for (const { pod, containers } of pods) {
    const labels = { namespace: pod.metadata.namespace ?? '', pod: pod.metadata.name };
    for (const figures of containers) {
      const own = { container: figures.name, ...labels };
      text.add(
        'container_cpu_usage_seconds_total',
        'counter',
        '[STABLE] Cumulative cpu time consumed by the container in core-seconds',
        own,
        seconds(figures.cpuCoreNanoSeconds),
      );
      text.add(
        'container_memory_working_set_bytes',
        'gauge',
        '[STABLE] Current working set of the container in bytes',
        own,
        figures.memoryWorkingSetBytes,
      );
      text.add(
        'container_start_time_seconds',
        'gauge',
        '[STABLE] Start time of the container since unix epoch in seconds',
        own,
        figures.startTime && figures.startTime / 1000,
      );
    }
    const total = totalOf(containers);
    text.add(
      'pod_cpu_usage_seconds_total',
      'counter',
      '[STABLE] Cumulative cpu time consumed by the pod in core-seconds',
      labels,
      seconds(total?.cpuCoreNanoSeconds),
    );
    text.add(
      'pod_memory_working_set_bytes',
      'gauge',
      '[STABLE] Current working set of the pod in bytes',
      labels,
      total?.memoryWorkingSetBytes,
    );
  }
  text.add(
    'resource_scrape_error',
    'gauge',
    '[STABLE] 1 if there was an error while getting container metrics, 0 otherwise',
    {},
    0,
  );
  return text.toString();
}

/** `/metrics/cadvisor`: the container metrics that dashboards are built on, under cAdvisor's names. */
export function cadvisorMetrics({ node, pods }: NodeFigures): string {
  const text = new MetricsText();
  text.add('machine_cpu_cores', 'gauge', 'Number of logical CPU cores.', {}, os.cpus().length);
  text.add('machine_memory_bytes', 'gauge', 'Amount of memory installed on the machine.', {}, os.totalmem());
  const root = { container: '', id: '/', image: '', name: '', namespace: '', pod: '' };
  text.add(
    'container_cpu_usage_seconds_total',
    'counter',
    'Cumulative cpu time consumed in seconds.',
    { ...root, cpu: 'total' },
    seconds(node.cpuCoreNanoSeconds),
  );
  text.add(
    'container_memory_working_set_bytes',
    'gauge',
    'Current working set in bytes.',
    root,
    node.memoryWorkingSetBytes,
  );
  for (const { pod, containers } of pods) {
    for (const figures of containers) {
      const labels = {
        container: figures.name,
        id: `/kubepods/pod${pod.metadata.uid}/${figures.id}`,
        image: figures.image,
        name: figures.id,
        namespace: pod.metadata.namespace ?? '',
        pod: pod.metadata.name,
      };
      text.add(
        'container_cpu_usage_seconds_total',
        'counter',
        'Cumulative cpu time consumed in seconds.',
        { ...labels, cpu: 'total' },
        seconds(figures.cpuCoreNanoSeconds),
      );
      text.add(
        'container_memory_working_set_bytes',
        'gauge',
        'Current working set in bytes.',
        labels,
        figures.memoryWorkingSetBytes,
      );
      text.add(
        'container_memory_usage_bytes',
        'gauge',
        'Current memory usage in bytes, including all memory regardless of when it was accessed',
        labels,
        figures.memoryUsageBytes,
      );
      text.add('container_memory_rss', 'gauge', 'Size of RSS in bytes.', labels, figures.memoryRssBytes);
      text.add(
        'container_fs_usage_bytes',
        'gauge',
        'Number of bytes that are consumed by the container on this filesystem.',
        labels,
        figures.rootfsUsedBytes,
      );
      text.add(
        'container_start_time_seconds',
        'gauge',
        'Start time of the container since unix epoch in seconds.',
        labels,
        figures.startTime && figures.startTime / 1000,
      );
    }
  }
  return text.toString();
}

/** `/metrics`: the kubelet about itself. */
export function kubeletMetrics(nodeName: string, pods: KubeletPods): string {
  const text = new MetricsText();
  const containers = pods.list().flatMap((pod) => pods.runtimePod(pod.metadata.uid ?? '')?.containers ?? []);
  const running = new Set(pods.list().filter((pod) => pods.sandboxId(pod) !== undefined));
  text.add('kubelet_node_name', 'gauge', "[ALPHA] The node's name. The count is always 1.", { node: nodeName }, 1);
  text.add('kubelet_running_pods', 'gauge', '[BETA] Number of pods that have a running pod sandbox', {}, running.size);
  for (const state of ['created', 'running', 'exited', 'unknown'])
    text.add(
      'kubelet_running_containers',
      'gauge',
      '[BETA] Number of containers currently running',
      { container_state: state },
      containers.filter((container) => container.state === state).length,
    );
  const { rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  text.add(
    'process_cpu_seconds_total',
    'counter',
    '[STABLE] Total user and system CPU time spent in seconds.',
    {},
    (user + system) / 1e6,
  );
  text.add('process_resident_memory_bytes', 'gauge', '[STABLE] Resident memory size in bytes.', {}, rss);
  text.add(
    'process_start_time_seconds',
    'gauge',
    '[STABLE] Start time of the process since unix epoch in seconds.',
    {},
    Math.round(Date.now() / 1000 - process.uptime()),
  );
  return text.toString();
}
