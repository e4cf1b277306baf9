import path from "node:path";

import { expect } from "chai";

import { until } from "../helpers/until.ts";
import type { Lane, SentTransaction } from "../../src/keeper/lane.ts";
import { Outbox } from "../../src/keeper/outbox.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { freePort } from "../helpers/anvil.ts";
import { Venue } from "../matcher/venue.ts";
import { Crash, started } from "./crash.ts";

const ACCOUNTS = 16;
const HOURS = 3 * 3_600_000; // [ms]

describe("keeper whose clock jumps", function () {
  this.timeout(120_000);
  let venue: Venue;
  let crash: Crash;

  before(async () => {
    venue = await Venue.open();
    crash = await Crash.open(venue, ACCOUNTS);
  });
  after(async () => {
    await crash.close();
    await venue.close();
  });

  it("LIQ-5 goes on, does nothing twice, keeps to its limit, and says that the clock is wrong, ahead and back", async () => {
    const port = String(await freePort());
    const limits = { HOURLY_LIMIT: "1", DAILY_LIMIT: "1", LEASE_LIFETIME: "5000", MIN_GAS_RUNWAY: "1" };
    const env = { PORT: port, CLOCK_JUMPS: `${HOURS},${-HOURS},0`, ...limits };
    const keeper = crash.start({ env, imports: [path.join(import.meta.dirname, "jumpingClock.ts")] });
    const ready = async () => (await fetch(`http://127.0.0.1:${port}/ready`)).text();
    await started(keeper);
    const said = [
      /"ready":true/,
      /the newest block is 10\d+ s old, .* look at the node and at this machine's clock/, // 3 h, less what blocks are ahead
      /the newest block is 1\d+ s ahead of this machine's clock: set the clock/,
      /"ready":true/,
    ];
    for (const expected of said) {
      for (let i = 0; i < 4; ++i) {
        await crash.step();
        // A price that moves on makes pointless what is on its way, which is no fault of a clock.
        await until(async () => (await crash.sunk()).length === 0, "accounts are below MM still");
      }
      expect(await ready()).to.match(expected);
      keeper.child.kill("SIGUSR2");
    }
    await crash.calm();
    await crash.stop(keeper);
    const { liquidations, reverted } = await crash.expectWhole();
    expect(liquidations).to.be.greaterThan(0);
    expect(reverted).to.deep.equal([]);
  });

  it("LIQ-5 knows which transaction of a nonce was signed last although the clock was set back in between", async () => {
    const database = new SqliteDatabase(":memory:");
    const outbox = await Outbox.open(database, venue.book.chainId, "0x1");
    const signed = (hash: string, fee: bigint, time: number): SentTransaction => ({
      ...{ hash, raw: "0x", kind: "call", cost: fee, time, maxFeePerGas: fee, maxPriorityFeePerGas: fee },
    });
    const lane: Lane = {
      ...{ nonce: 0, purpose: "work", call: { target: "0x2", data: "0x" }, gasLimit: 1n, expectedGain: undefined },
      ...{ sent: [], givenUp: undefined, mined: undefined, final: false, settledAt: undefined },
    };
    await outbox.open(lane, signed("first", 99n, HOURS));
    await outbox.add(lane, signed("second", 112n, 0));
    expect((await outbox.lanes())[0]?.sent.map(({ hash }) => hash)).to.deep.equal(["first", "second"]);
  });
});
