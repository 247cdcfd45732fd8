import type { ControllerHarness } from '../../runtime/testing/controller-harness.ts';

/** Waits until the controllers have sent nothing for several turns of the event loop, however slow those are. */
export async function settled(run: ControllerHarness): Promise<void> {
  let seen = -1;
  for (let quiet = 0; quiet < 4; quiet++) {
    if (seen !== run.api.requests.length) quiet = 0;
    seen = run.api.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 4));
    await new Promise((resolve) => setImmediate(resolve));
  }
}
