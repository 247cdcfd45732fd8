import { setFlagsFromString } from 'node:v8';

/**
 * How far the heap grows, in percent of what is alive, before garbage is collected. V8's own choice favours throughput:
 * a server with much state would hold as much garbage again.
 */
const GROWTH_PERCENT = 30;

/** For a process of our own, once it is up: a setting of the whole process is not for a library to make. */
export function limitHeapGrowth(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
