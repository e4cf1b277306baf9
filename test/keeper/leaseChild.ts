import { closeSync, openSync, unlinkSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { Leases } from "../../src/keeper/leases.ts";
import { openDatabase } from "../../src/keeper/openDatabase.ts";

/**
 * Contends for leases until it has held `times` of them: `node leaseChild.ts URL HOLDER LIFETIME TIMES FOLDER KEY…`. While it holds one,
 * a file stands for it in the folder, whose creation fails if another holder's stands there. Prints every key that it has held; with zero
 * times it takes the first key and then again whenever it can, and prints what came of it when that changes.
 */
async function main(): Promise<void> {
  const [url = "", holder = "", lifetime = "", times = "", folder = "", ...keys] = process.argv.slice(2);
  const database = await openDatabase(url);
  const leases = await Leases.open(database, { holder, lifetime: Number(lifetime) });

  async function hold(key: string): Promise<boolean> {
    if (!(await leases.take(key))) return false;
    const file = path.join(folder, key);
    closeSync(openSync(file, "wx"));
    await sleep(Math.random() * 4);
    unlinkSync(file);
    await leases.release(key);
    console.log(key);
    return true;
  }

  let before: boolean | undefined;
  while (times === "0") {
    const mine = await leases.take(keys[0] ?? "");
    if (mine !== before) console.log(mine ? "held" : "lost");
    before = mine;
    await sleep(Number(lifetime) / 2);
  }
  for (let held = 0; held < Number(times);) {
    const key = keys[Math.floor(Math.random() * keys.length)] ?? "";
    if (await hold(key)) held += 1;
  }
  await database.close();
}

if (process.argv[1] === import.meta.filename) await main(); // the test runner loads it too
