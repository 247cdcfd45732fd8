import {
  type ComponentState,
  PHASES,
  type Phase,
  type Timeline,
  type TimelineEntry,
} from '../cluster/graph/component.ts';

const MARKS: Readonly<Record<ComponentState, string>> = {
  waiting: '·',
  starting: '…',
  ready: '✔',
  skipped: '–',
  failed: '✘',
  stopping: '…',
  stopped: '■',
};
const COLORS: Partial<Record<ComponentState, number>> = {
  ready: 32,
  failed: 31,
  starting: 33,
  stopping: 33,
  skipped: 90,
  waiting: 90,
};

export interface Progress {
  update(timeline: Timeline): void;
  /** Draws the last state for good. */
  finish(): void;
}

/** A live picture in a terminal, a line per event elsewhere. */
export function createProgress(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? liveProgress(stream) : plainProgress(stream);
}

/** The five phases with a line per component: what `status` prints and the live view draws. */
export function drawTimeline(timeline: Timeline, color: boolean): string[] {
  const paint = (code: number | undefined, text: string) => (color && code ? `\x1b[${code}m${text}\x1b[0m` : text);
  const width = Math.max(18, ...timeline.components.map((entry) => entry.component.length));
  const lines: string[] = [];
  for (const phase of timeline.phases) {
    const members = timeline.components.filter((entry) => entry.phase === phase.phase);
    const mark = phase.ready
      ? paint(32, '✔')
      : members.some((m) => m.state === 'failed')
        ? paint(31, '✘')
        : paint(33, '…');
    lines.push(
      `${mark} ${phase.phase} ${phase.name.padEnd(width + 4)}${phase.ready ? `${String(phase.ms).padStart(7)} ms` : ''}`.trimEnd(),
    );
    for (const entry of members) {
      const time = entry.ms === undefined ? '' : `${String(entry.ms).padStart(7)} ms`;
      const text =
        `    ${MARKS[entry.state]} ${entry.component.padEnd(width)} ${time.padEnd(10)} ${entry.message ?? ''}`.trimEnd();
      lines.push(paint(COLORS[entry.state], text));
    }
  }
  return lines;
}

function liveProgress(stream: NodeJS.WriteStream): Progress {
  let drawn = 0;
  let pending: Timeline | undefined;
  let timer: NodeJS.Timeout | undefined;
  const draw = () => {
    timer = undefined;
    if (!pending) return;
    const columns = stream.columns ?? 80;
    const lines = drawTimeline(pending, true).map((line) => clip(line, columns));
    stream.write(`${drawn ? `\x1b[${drawn}A\x1b[J` : ''}${lines.join('\n')}\n`);
    drawn = lines.length;
  };
  return {
    update(timeline) {
      pending = timeline;
      timer ??= setTimeout(draw, 40);
    },
    finish() {
      clearTimeout(timer);
      draw();
      pending = undefined;
    },
  };
}

function plainProgress(stream: NodeJS.WriteStream): Progress {
  const shown = new Map<string, ComponentState>();
  const phases = new Set<Phase>();
  return {
    update(timeline) {
      for (const entry of timeline.components) {
        if (shown.get(entry.component) === entry.state || entry.state === 'waiting') continue;
        shown.set(entry.component, entry.state);
        if (entry.state !== 'starting') stream.write(`${plainLine(entry)}\n`);
      }
      for (const phase of timeline.phases) {
        if (!phase.ready || phases.has(phase.phase)) continue;
        phases.add(phase.phase);
        stream.write(`phase ${phase.phase} ${PHASES[phase.phase]}: ready after ${phase.ms} ms\n`);
      }
    },
    finish() {},
  };
}

function plainLine(entry: TimelineEntry): string {
  const time = entry.state === 'ready' ? ` in ${entry.ms} ms` : '';
  return `${entry.component}: ${entry.state}${time}${entry.message ? ` (${entry.message})` : ''}`;
}

/** Cuts a line to the terminal's width without cutting an escape sequence. */
function clip(line: string, columns: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
  const visible = line.replace(/\x1b\[\d+m/g, '');
  if (visible.length < columns) return line;
  return visible.slice(0, columns - 1);
}
