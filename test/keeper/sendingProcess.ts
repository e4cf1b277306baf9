import { JsonRpcProvider } from "ethers";

import { Sender } from "../../src/keeper/sender.ts";
import { openSigner } from "../../src/keeper/signer.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { mint } from "./mint.ts";

/** A process that is killed while it mints token after token, each for an address of its own. */
async function main(): Promise<void> {
  const [url = "", file = "", token = "", from = "", count = ""] = process.argv.slice(2);
  const provider = new JsonRpcProvider(url, 31337, { staticNetwork: true, cacheTimeout: -1, batchMaxCount: 1 });
  const signer = await openSigner({ PRIVATE_KEY: process.env.PRIVATE_KEY });
  const policy = {
    ...{ confirmTimeout: 10_000, pollInterval: 20, replaceAfter: 3, maxGasPrice: 10n ** 13n, confirmations: 3 },
    hourlyLimit: 10n ** 18n,
  };
  const sender = await Sender.open({ provider, signer, database: new SqliteDatabase(file), policy });
  console.log("started");
  const numbers = Array.from({ length: Number(count) }, (_, i) => Number(from) + i);
  const LANES = 4;
  await Promise.all(
    Array.from({ length: LANES }, async (_, lane) => {
      for (const number of numbers.filter((one) => one % LANES === lane)) {
        let done = false;
        while (!done) {
          const { result } = await sender.attempt(mint(token, number), { purpose: `mint:${number}` });
          done = result === "done";
        }
      }
    }),
  );
  console.log("finished");
  process.exit(0);
}

if (process.argv[1] === import.meta.filename) await main(); // the test runner loads it too
