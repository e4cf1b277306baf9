import { Checkpoint } from "../../src/keeper/checkpoint.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { book, stateAt } from "./checkpointStates.ts";

/** Saves one state after the other, from the one after what is there, until somebody ends it. */
async function main(): Promise<void> {
  const database = new SqliteDatabase(process.argv[2] ?? "");
  const checkpoint = await Checkpoint.open(database, book);
  let since = (await checkpoint.load())?.block;
  for (;;) {
    const state = stateAt((since?.number ?? 0) + 1, since !== undefined);
    await checkpoint.save(state, since);
    since = state.block;
    process.stdout.write(".");
  }
}

if (process.argv[1] === import.meta.filename) await main(); // the test runner loads it too
