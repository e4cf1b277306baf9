import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";

const PATIENCE = 60_000; // [ms]
const PAUSE = 20; // [ms]

/** Waits until something holds, which must not take longer than a minute. */
export async function until(holds: () => Promise<boolean> | boolean, what = String(holds)): Promise<void> {
  const end = performance.now() + PATIENCE;
  while (!(await holds())) {
    if (performance.now() > end) expect.fail(`waited ${PATIENCE / 1000} s in vain: ${what}`);
    await sleep(PAUSE);
  }
}
