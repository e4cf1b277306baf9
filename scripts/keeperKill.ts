import Table from "cli-table3";

import { Crash } from "../test/keeper/crash.ts";
import { killAgainAndAgain } from "../test/keeper/killAgainAndAgain.ts";
import { Venue } from "../test/matcher/venue.ts";

const ACCOUNTS = 60;

const kills = Number(process.argv[2] ?? "100");
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);

console.log(`killing the keeper ${kills} times, seed ${seed}`);
const venue = await Venue.open();
try {
  const crash = await Crash.open(venue, ACCOUNTS);
  try {
    const killed = await killAgainAndAgain(crash, kills, seed);
    const table = new Table();
    table.push(
      ["killed", `${killed.kills} times, ${killed.early} of them while it started`],
      ["leveraged accounts", ACCOUNTS],
      ["blocks", killed.blocks],
      ["liquidations", killed.liquidations],
      ["transactions, all of them written down", killed.transactions],
      ["purposes carried out, each once", killed.purposes],
      ["reverted", killed.reverted.length],
      ["cancellations", killed.cancelled],
      ["transactions pending", 0],
      ["accounts below MM", 0],
      ["accounts audited, without a difference", killed.audited],
    );
    console.log(table.toString());
  } finally {
    await crash.close();
  }
} finally {
  await venue.close();
}
