import { setTimeout as sleep } from "node:timers/promises";

import { until } from "../helpers/until.ts";
import { hasStarted } from "./crash.ts";
import type { Crash, KeeperProcess, Story } from "./crash.ts";

/** What became of a keeper that was killed again and again. */
export interface Killed extends Story {
  readonly kills: number;
  /** How many of them hit it while it was starting. */
  readonly early: number;
}

const LONGEST_START = 1000; // [ms] one in five is killed before, at a random moment
const LONGEST_LIFE = 1500; // [ms] after it has started

/** Kills the keeper at random moments of a crash and starts it again at once; nothing is lost and nothing is done twice. */
export async function killAgainAndAgain(crash: Crash, kills: number, seed: number): Promise<Killed> {
  let x = seed;
  const random = (n: number) => (x = (Math.imul(x, 1103515245) + 12345) >>> 0) % n;
  let early = 0;
  const falling = { isOn: true };
  const fall = async () => {
    while (falling.isOn) await crash.step(300);
  };
  await crash.mineAtRandom();
  const fell = fall();
  const env = { WS_URL: crash.venue.anvil.url.replace("http", "ws") };
  for (let kill = 0; kill < kills; ++kill) {
    const keeper = crash.start({ env });
    if (random(5) === 0) await sleep(random(LONGEST_START));
    else await sleepAfterStart(keeper, random(LONGEST_LIFE));
    if (!hasStarted(keeper)) early += 1;
    keeper.child.kill("SIGKILL");
    await keeper.exited;
  }
  falling.isOn = false;
  await fell;
  const last = crash.start({ env });
  await sleepAfterStart(last, 0);
  await crash.calm();
  await crash.stop(last);
  return { kills, early, ...(await crash.expectWhole()) };
}

async function sleepAfterStart(keeper: KeeperProcess, time: number): Promise<void> {
  await until(() => hasStarted(keeper) || keeper.child.exitCode !== null, "the keeper does not start");
  await sleep(time);
}
