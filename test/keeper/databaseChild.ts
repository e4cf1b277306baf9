import { openDatabase } from "../../src/keeper/openDatabase.ts";

const NEVER = 2 ** 31 - 1; // [ms]

/** Stays in a transaction until it is killed: `node databaseChild.ts URL`. */
async function main(): Promise<void> {
  const database = await openDatabase(process.argv[2] ?? "");
  await database.transaction(async (statements) => {
    await statements.run("INSERT INTO item (name) VALUES (?)", "killed");
    console.log("inserted");
    await new Promise((resolve) => setTimeout(resolve, NEVER));
  });
}

if (process.argv[1] === import.meta.filename) await main(); // the test runner loads it too
