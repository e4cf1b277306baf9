import { createHash } from "node:crypto";

import { expect } from "chai";
import pino from "pino";

import { decodeReport, encodeReport, MalformedReport, verifyReport } from "../../src/keeper/report.ts";
import type { LiquidationReport } from "../../src/keeper/report.ts";
import { LiquidationReports } from "../../src/keeper/reports.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";

const logger = pino({ level: "silent" });
const ANY = { maxFraction: wad("1"), maxPayment: 2n ** 127n - 1n, minGain: 0n, acceptClaims: false };

/** Bob is long 10 ETH at 2,000 on 1,100 and 0.05 WETH, against alice; the keeper has 100,000. */
async function leveraged(): Promise<{ house: Fixture; bob: bigint }> {
  const house = await freshHouse();
  await house.fund(house.alice, { cash: "1000000" });
  await house.fund(house.keeper, { cash: "100000" });
  const bob = await house.fund(house.bob, { cash: "1000", weth: "0.05" });
  await house.trade(house.alice, house.bob, ETH, "10", "2000");
  return { house, bob };
}

async function reportsOf(house: Fixture): Promise<LiquidationReports> {
  const options = { provider: house.ethers.provider, addressBook: house.addressBook, gasUnderlying: "ETH" };
  return LiquidationReports.open({ ...options, database: new SqliteDatabase(":memory:"), logger });
}

async function recorded(house: Fixture): Promise<LiquidationReport> {
  const events = await house.clearingHouse.queryFilter(house.clearingHouse.filters.Liquidated());
  return (await reportsOf(house)).record(events.at(-1)!);
}

async function allOf(reports: LiquidationReports): Promise<LiquidationReport[]> {
  const all: LiquidationReport[] = [];
  for await (const report of reports.all()) all.push(report);
  return all;
}

function sealed(report: LiquidationReport): LiquidationReport {
  const digest = createHash("sha256")
    .update(encodeReport({ ...report, digest: undefined }))
    .digest("hex");
  return { ...report, digest };
}

type Path = readonly (string | number)[];

/** The places of all bigints in a report, through objects and maps. */
function bigints(value: unknown, at: Path = []): Path[] {
  if (typeof value === "bigint") return [at];
  if (value instanceof Map) return [...(value as Map<number, unknown>)].flatMap(([k, v]) => bigints(v, [...at, k]));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([k, v]) => bigints(v, [...at, k]));
}

/** A copy in which the bigint at a place is another. */
function tampered<T>(value: T, [key, ...rest]: Path, change: (x: bigint) => bigint): T {
  if (key === undefined) return change(value as bigint) as T;
  if (value instanceof Map) {
    const map = value as Map<unknown, unknown>;
    return new Map(map).set(key, tampered(map.get(key), rest, change)) as T;
  }
  return { ...value, [key]: tampered((value as Record<string, unknown>)[key], rest, change) };
}

describe("reports of liquidations", () => {
  it("LIQ-7 what was taken is verified, with its gas and profit", async () => {
    const { house, bob } = await leveraged();
    const takerAccount = accountId(house.keeper.address);
    await house.setPrice(ETH, "1945");
    await house.clearingHouse.connect(house.keeper).liquidate(bob, takerAccount, ANY);
    const report = await recorded(house);
    expect(report).to.include({ account: bob, taker: takerAccount, cashCall: false, clock: 0n, discount: wad("0.05") });
    expect(verifyReport(report)).to.deep.equal([]);
    const { outcome, gasUsed, gasPrice } = report;
    expect(outcome.toFund).to.equal((outcome.cost + 4n) / 5n);
    expect(report.profit).to.equal(outcome.gain - (gasUsed * gasPrice * wad("1945")) / wad("1"));
  });

  it("LIQ-7 somebody else's, after flags, of a part", async () => {
    const { house, bob } = await leveraged();
    await house.setPrice(ETH, "1940");
    const { clearingHouse: ch } = house;
    await ch.connect(house.carol).flag(bob);
    await house.networkHelpers.time.increase(45);
    await ch.connect(house.carol).flag(bob);
    await house.networkHelpers.time.increase(500); // counts for 60 s
    const taker = accountId(house.keeper.address);
    await ch.connect(house.keeper).liquidate(bob, taker, { ...ANY, maxFraction: wad("0.2") });
    const report = await recorded(house);
    expect(report.flagger).to.equal(house.carol.address);
    expect(report.clock >= 105n && report.clock <= 108n).to.equal(true);
    expect(report.outcome.fraction).to.equal(wad("0.2"));
    expect(verifyReport(report)).to.deep.equal([]);
  });

  it("LIQ-7 of a bankrupt account, with what the fund paid", async () => {
    const { house, bob } = await leveraged();
    await house.setPrice(ETH, "1880");
    await house.clearingHouse.connect(house.keeper).liquidate(bob, accountId(house.keeper.address), ANY);
    const report = await recorded(house);
    expect(report.outcome.equity < 0n).to.equal(true);
    expect(verifyReport(report)).to.deep.equal([]);
    expect(verifyReport(sealed({ ...report, outcome: { ...report.outcome, rescue: wad("9999") } }))).to.include(
      "rescue",
    );
  });

  it("LIQ-7 of an account with debt", async () => {
    const { house } = await leveraged();
    const { clearingHouse: ch } = house;
    await ch.connect(house.alice).lend(accountId(house.alice.address), 100_000_000_000n);
    const carol = await house.fund(house.carol, { weth: "10" });
    await ch.connect(house.carol).withdraw(carol, house.usdc, 16_900_000_000n, house.carol);
    await house.pass(3600);
    await house.setPrice(ETH, "1780");
    await ch.connect(house.keeper).liquidate(carol, accountId(house.keeper.address), ANY);
    expect(verifyReport(await recorded(house))).to.deep.equal([]);
  });

  it("LIQ-7 every number that is tampered with is found", async () => {
    const { house, bob } = await leveraged();
    await house.setPrice(ETH, "1945");
    await house.clearingHouse.connect(house.carol).flag(bob);
    await house.networkHelpers.time.increase(20);
    await house.clearingHouse.connect(house.keeper).liquidate(bob, accountId(house.keeper.address), ANY);
    const report = await recorded(house);
    const places = bigints(report);
    expect(places.length).to.be.greaterThan(60);
    for (const place of places) {
      expect(verifyReport(tampered(report, place, (x) => x + 1n)), place.join(".")).to.include("digest");
    }
    // Whoever makes a new digest is found by the arithmetic, wherever a number decides anything.
    const found = (place: Path) => verifyReport(sealed(tampered(report, place, (x) => x + 1n + x / 2n))).length !== 0;
    const outcome = places.filter(([first]) => !["inputs", "account", "taker"].includes(String(first)));
    for (const place of outcome) expect(found(place), place.join(".")).to.equal(true);
    const decisive = [
      ["inputs", "account", "cash"],
      ["inputs", "account", "positions", ETH, "size"],
      ["inputs", "account", "positions", ETH, "quote"],
      ["inputs", "account", "collaterals", 0],
      ["inputs", "house", "prices", ETH, "price"],
      ["inputs", "house", "prices", ETH, "initialFactor"],
      ["inputs", "house", "prices", ETH, "maintenanceFactor"],
      ["inputs", "house", "risk", "underlyings", ETH, "shock"],
      ["inputs", "house", "risk", "underlyings", ETH, "slope"],
      ["inputs", "house", "risk", "underlyings", ETH, "depth"],
      ["inputs", "house", "risk", "underlyings", ETH, "initialFactor"],
      ["inputs", "house", "risk", "collaterals", 0, "haircut"],
      ["inputs", "house", "risk", "collaterals", 0, "haircutInitial"],
      ["inputs", "house", "collaterals", 0, "rate"],
      ["inputs", "auction", "clock"],
    ];
    for (const place of decisive) expect(found(place), place.join(".")).to.equal(true);
  });

  it("LIQ-7 is a line that is written once and read back", async () => {
    const { house, bob } = await leveraged();
    await house.setPrice(ETH, "1945");
    await house.clearingHouse.connect(house.keeper).liquidate(bob, accountId(house.keeper.address), ANY);
    const [event] = await house.clearingHouse.queryFilter(house.clearingHouse.filters.Liquidated());
    const reports = await reportsOf(house);
    const report = await reports.record(event!);
    await reports.record(event!);
    const all = await allOf(reports);
    expect(all.map(encodeReport)).to.deep.equal([encodeReport(report)]);
    expect(verifyReport(all[0]!)).to.deep.equal([]);
    for (const line of ["", "{", "null", "{}"]) expect(() => decodeReport(line)).to.throw(MalformedReport);
  });

  it("LIQ-7 follows the chain while there is nothing else to do, and what a reorganisation drops", async () => {
    const { house, bob } = await leveraged();
    const reports = await reportsOf(house);
    const head = () => house.ethers.provider.getBlockNumber();
    const first = await head();
    const follow = async (isIdle = true) => {
      await reports.follow(await head(), first, () => isIdle);
      return (await allOf(reports)).map(({ account, block }) => [account, block]);
    };
    expect(await follow()).to.deep.equal([]);
    const snapshot = await house.networkHelpers.takeSnapshot();
    await house.setPrice(ETH, "1945");
    await house.clearingHouse.connect(house.keeper).liquidate(bob, accountId(house.keeper.address), ANY);
    expect(await follow(false)).to.deep.equal([]);
    expect(await follow()).to.deep.equal([[bob, first + 2]]);
    await snapshot.restore();
    await house.networkHelpers.mine(3);
    expect(await follow()).to.deep.equal([]);
    await house.setPrice(ETH, "1940");
    await house.clearingHouse.connect(house.keeper).liquidate(bob, accountId(house.keeper.address), ANY);
    expect(await follow()).to.deep.equal([[bob, first + 5]]);
    const [report] = await reports.newest(10, bob);
    expect(await reports.newest(10, bob + 1n)).to.deep.equal([]);
    for (const name of [report!.id, report!.transaction]) expect(await reports.find(name)).to.deep.equal([report]);
    expect(verifyReport(report!)).to.deep.equal([]);
  });

  it("LIQ-7 of the second slice of one block, from what the first has left", async () => {
    const { house, bob } = await leveraged();
    await house.fund(house.carol, { cash: "100000" });
    await house.setPrice(ETH, "1935");
    const { clearingHouse: ch } = house;
    await house.connection.provider.request({ method: "evm_setAutomine", params: [false] });
    for (const [taker, gasPrice] of [
      [house.keeper, 20_000_000_000n],
      [house.carol, 10_000_000_000n],
    ] as const) {
      const terms = { ...ANY, maxFraction: wad("0.1") };
      await ch.connect(taker).liquidate(bob, accountId(taker.address), terms, { gasLimit: 3_000_000n, gasPrice });
    }
    await house.connection.provider.request({ method: "evm_setAutomine", params: [true] });
    await house.networkHelpers.mine();
    const events = await ch.queryFilter(ch.filters.Liquidated());
    expect(new Set(events.map(({ blockNumber }) => blockNumber)).size).to.equal(1);
    const reports = await reportsOf(house);
    for (const event of events) expect(verifyReport(await reports.record(event))).to.deep.equal([]);
    expect(events).to.have.length(2);
  });
});
