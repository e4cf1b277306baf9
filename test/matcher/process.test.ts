import path from "node:path";

import { expect } from "chai";

import { killAgainAndAgain, startProcess } from "./kill.ts";
import { Venue } from "./venue.ts";
import type { Trader } from "./venue.ts";

describe("matcher as a process", () => {
  let venue: Venue;
  let traders: Trader[];

  before(async () => {
    venue = await Venue.open();
    traders = await Promise.all(["1000000", "1000000", "1000000"].map((cash) => venue.trader(cash)));
  });
  after(() => venue.close());

  it("OB-1 OB-4 loses no acknowledged order and settles none twice when it is killed", async () => {
    const { acknowledged } = await killAgainAndAgain(venue, traders, 3, Date.now() % 1_000_000);
    expect(acknowledged.size).to.be.greaterThan(10);
  });

  it("ends when it is told to", async () => {
    const running = await startProcess(venue, path.join(venue.folder, "ending"));
    running.child.kill("SIGTERM");
    expect(await running.exited).to.equal(0);
    expect(running.output()).to.include('"stopped"').and.to.not.include(venue.settlerKey.slice(2));
  });

  it("says what is missing and ends", async () => {
    let message = "";
    await startProcess(venue, venue.folder, { PRIVATE_KEY: "" }).catch((error: unknown) => (message = String(error)));
    expect(message).to.include("PRIVATE_KEY: set it in the environment");
  });
});
