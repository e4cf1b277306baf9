import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";

import { until } from "../helpers/until.ts";
import { Venue } from "../matcher/venue.ts";
import { Crash, hasStarted } from "./crash.ts";
import { killAgainAndAgain } from "./killAgainAndAgain.ts";

const KILLS = 5; // `npm run keeper:kill` does a hundred
const ACCOUNTS = 24;

describe("keeper that is killed", function () {
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

  it("LIQ-5 begins nothing again that was sent before it was killed and is under way still", async () => {
    const { provider } = venue.anvil;
    const waiting = async () => {
      const [pending, mined] = await Promise.all([crash.sent("pending"), crash.sent("latest")]);
      return pending - mined;
    };
    const first = crash.start();
    await until(() => hasStarted(first), "the keeper does not start");
    await sleep(500); // what it finds to do at first
    await provider.send("evm_setAutomine", [false]);
    const fallen = crash.step();
    await sleep(50);
    await provider.send("evm_mine", []);
    await fallen;
    await until(async () => (await waiting()) > 0, "nothing is sent");
    await sleep(500);
    const count = await waiting();
    first.child.kill("SIGKILL");
    await first.exited;
    await provider.send("anvil_dropAllTransactions", []);
    await provider.send("evm_mine", []); // at another head it has other purposes for the same
    const second = crash.start();
    await until(async () => (await waiting()) > 0, "what was dropped is not sent again");
    await sleep(500);
    expect(await waiting()).to.equal(count);
    await provider.send("evm_setAutomine", [true]);
    await provider.send("evm_mine", []);
    await crash.calm();
    await crash.stop(second);
    expect((await crash.expectWhole()).reverted).to.deep.equal([]);
  });

  it(`LIQ-5 takes every account, loses nothing and does nothing twice although it is killed ${KILLS} times`, async () => {
    const { liquidations } = await killAgainAndAgain(crash, KILLS, Date.now() % 1_000_000);
    expect(liquidations).to.be.greaterThan(0);
  });
});
