export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** `buckets[i]`: how many were at most `bounds[i]`. */
export interface HistogramSample {
  readonly labels: Labels;
  readonly bounds: readonly number[];
  readonly buckets: readonly number[];
  readonly sum: number;
  readonly count: number;
}

export type MetricFamily =
  | {
      readonly type: 'counter' | 'gauge';
      readonly name: string;
      readonly help: string;
      readonly samples: Iterable<Sample>;
    }
  | {
      readonly type: 'histogram';
      readonly name: string;
      readonly help: string;
      readonly samples: Iterable<HistogramSample>;
    };

/** Whoever counts something; asked at every scrape. */
export type MetricSource = () => Iterable<MetricFamily>;

/** The Prometheus text format. */
export function exposition(families: Iterable<MetricFamily>): string {
  const lines: string[] = [];
  for (const family of families) {
    const { name } = family;
    lines.push(`# HELP ${name} ${family.help}`, `# TYPE ${name} ${family.type}`);
    if (family.type === 'histogram') for (const sample of family.samples) histogram(lines, name, sample);
    else for (const { labels, value } of family.samples) lines.push(`${name}${braced(pairs(labels))} ${value}`);
  }
  return `${lines.join('\n')}\n`;
}

function histogram(lines: string[], name: string, sample: HistogramSample): void {
  const own = pairs(sample.labels);
  const separator = own === '' ? '' : ',';
  for (const [index, bound] of sample.bounds.entries())
    lines.push(`${name}_bucket{${own}${separator}le="${bound}"} ${sample.buckets[index]}`);
  lines.push(
    `${name}_bucket{${own}${separator}le="+Inf"} ${sample.count}`,
    `${name}_sum${braced(own)} ${sample.sum}`,
    `${name}_count${braced(own)} ${sample.count}`,
  );
}

const braced = (text: string) => (text === '' ? '' : `{${text}}`);

function pairs(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))}"`)
    .join(',');
}
