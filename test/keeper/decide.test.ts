import { expect } from "chai";

import { DEFAULT_POLICY } from "../../src/keeper/config.ts";
import type { KeeperPolicy } from "../../src/keeper/config.ts";
import { decide } from "../../src/keeper/decide.ts";
import type { Candidate, Slice } from "../../src/keeper/decide.ts";
import { NoHedge } from "../../src/keeper/hedge.ts";
import type { HedgeVenue } from "../../src/keeper/hedge.ts";
import { assessAccount } from "../../src/risk/account.ts";
import type { Auction } from "../../src/risk/auction.ts";
import { abs, min, WAD } from "../../src/risk/fixed.ts";
import type { AccountState, HouseState } from "../../src/risk/types.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { wad } from "../helpers/fixture.ts";
import { accountOf, calm, emptyAccount, oneUnderlying } from "../risk/house.ts";

const SELLER = accountId("0x00000000000000000000000000000000000000A1");
const TAKER = accountId("0x00000000000000000000000000000000000000b2");
const FLAGGER = "0x00000000000000000000000000000000000000C3";

/** κ 3 %, φ 5/3, nothing else: MM = 3 % and IM = 5 % of the notional. */
const RISK = {
  underlyings: new Map([
    [
      0,
      {
        ...{ shock: 30_000n, slope: 0n, basis: 0n, basisInitial: 0n, maxTracking: 0n, maxTrackingInitial: 0n },
        ...{ initialFactor: 1_666_666_667n, depth: 50_000_000n },
      },
    ],
  ]),
  collaterals: new Map([
    [
      0,
      {
        ...{ haircut: 0n, haircutInitial: 0n, tracking: 0n, trackingInitial: 0n },
        ...{ depegThreshold: 0n, depegFactor: 0n },
      },
    ],
  ]),
};

/** 10 ETH bought at 2,000, now at 1,945: MM 583.5, IM 972.5, and E what `cash` leaves of a loss of 550. */
const HOUSE = oneUnderlying(RISK, wad("1945"));
/** Neither profit nor risk is asked for. */
const POLICY: KeeperPolicy = { ...DEFAULT_POLICY, minProfit: 0n, inventoryRisk: 0n };

interface Case {
  readonly cash?: string;
  readonly taker?: AccountState;
  readonly venue?: HedgeVenue;
  readonly auction?: Auction;
  readonly house?: HouseState;
}

function candidateOf({ cash = "1090", taker, venue = new NoHedge(), auction, house = HOUSE }: Case): Candidate {
  const account = accountOf(wad(cash), wad("10"), wad("2000"));
  return {
    ...{ id: SELLER, account, assessment: assessAccount(account, house), auction, takerId: TAKER, venue },
    taker: taker ?? emptyAccount({ cash: wad("100000") }),
    fund: emptyAccount(),
  };
}

function decideOn(of: Case, policy: Partial<KeeperPolicy> = {}) {
  return decide(candidateOf(of), of.house ?? HOUSE, { ...POLICY, ...policy });
}

function sliceOf(of: Case, policy: Partial<KeeperPolicy> = {}): Slice {
  const decision = decideOn(of, policy);
  if (decision.action !== "take") expect.fail(decision.reason);
  return decision.slice;
}

/** Why nothing is taken. */
function reasonOf(of: Case, policy: Partial<KeeperPolicy> = {}): string {
  const decision = decideOn(of, policy);
  if (decision.action === "take") expect.fail(decision.slice.reason);
  return decision.reason;
}

/** An auction whose clock reads `clock` now, flagged by the taker himself, who so keeps 80 % of what a slice costs. */
function auctionAt(clock: bigint): Auction {
  const flagger = `0x${(TAKER >> 96n).toString(16).padStart(40, "0")}`;
  return { flagger, maintenanceAtFlag: wad("583.5"), clock, rescueClock: 0n, lastCall: HOUSE.time };
}

/** A venue that trades up to `depth` units at `cost` [USD] each. */
function venueOf(depth: string, cost: string): HedgeVenue {
  const quote = (_: number, size: bigint) => {
    const traded = min(abs(size), wad(depth));
    return { traded, cost: (traded * wad(cost)) / WAD };
  };
  return { quote, refresh: () => Promise.resolve(), trade: () => Promise.resolve(0n) };
}

function expectNear(value: bigint, expected: string, tolerance: string): void {
  expect(abs(value - wad(expected)) <= wad(tolerance), `${Number(value) / 1e18} is not ${expected}`).to.equal(true);
}

describe("what the keeper takes", () => {
  // E = 540. A slice f lands at 540 − f·5 %·583.5 = 972.5·(1 − f): f = 432.5 / 943.325 = 0.45848, which is 4.5848 ETH, and costs
  // f·29.175 = 13.376, of which the taker keeps 80 %: 10.701, or 2.334 for each ETH. The search may land 0.1 % above IM.
  it("LIQ-5 all that is needed if nothing speaks against it, and says what it brings", () => {
    const { plan, maxFraction, gain, profit, reason } = sliceOf({});
    expect(maxFraction).to.equal(WAD);
    expectNear(plan.fraction, "0.4585", "0.001");
    expectNear(gain, "10.7", "0.03");
    expect(profit).to.equal(gain);
    expect(reason).to.match(/^brings 10\.7\d USD at a discount of 5\.0 %$/);
  });

  it("LIQ-5 asks for more profit than inventory risk costs: a share of the house's own shock", () => {
    // 1 % of κ = 3 % on 8,917 USD: 2.675
    const { gain, profit } = sliceOf({}, { inventoryRisk: 10_000n });
    expectNear(gain - profit, "2.675", "0.006");
    // a volatility regime of 2 for IM: IM = 1,945, f = 1,405 / 1,915.825 = 0.73336, and 1 % of 6 % on 14,264 USD is 8.558
    const house = { ...HOUSE, prices: new Map([[0, { ...calm(wad("1945")), initialFactor: 2_000_000n }]]) };
    const wild = sliceOf({ house }, { inventoryRisk: 10_000n });
    expectNear(wild.gain - wild.profit, "8.558", "0.02");
    // at 5 % of κ the risk of 13.4 is more than the gain
    const refused = decideOn({}, { inventoryRisk: 50_000n });
    expect(refused.action).to.equal("flag");
  });

  it("LIQ-5 counts the collateral of a slice as inventory of its underlying", () => {
    // 10 bought at 2,150 and 1 WETH: E = 600 − 2,050 + 1,945 = 495, IM = 5 % of 11 · 1,945 = 1,069.75, MM = 641.85; a slice of
    // 574.75 / 1,037.66 = 0.55389 brings 6.0928 units, of which 1 % of 3 % is 3.555
    const account = accountOf(wad("600"), wad("10"), wad("2150"), WAD);
    const candidate = { ...candidateOf({}), account, assessment: assessAccount(account, HOUSE) };
    const riskFor = (taker: AccountState) => {
      const decision = decide({ ...candidate, taker }, HOUSE, { ...POLICY, inventoryRisk: 10_000n });
      if (decision.action !== "take") expect.fail(decision.reason);
      return decision.slice.gain - decision.slice.profit;
    };
    expectNear(riskFor(emptyAccount({ cash: wad("100000") })), "3.555", "0.008");
    expect(riskFor(accountOf(wad("100000"), wad("-20"), wad("1945"))), "short 20, it has less to fear").to.equal(0n);
    // short 20 against 20 WETH nothing is at risk before, so all of the slice is new
    expectNear(riskFor(accountOf(wad("100000"), wad("-20"), wad("1945"), wad("20"))), "3.555", "0.008");
  });

  it("LIQ-5 the part that brings most: what shrinks the taker's own position is no risk", () => {
    // Short 2, up to 4 ETH leave no more exposure than before; the next ones cost 10 % of 3 % of 1,945 = 5.835 and bring 2.334. In
    // steps of 1/32 of 4.5848 = 0.14328 the 28th, at 4.0117, still gains by 0.334 − 0.0117·5.835; the 29th does not.
    const taker = accountOf(wad("100000"), -2n * WAD, wad("1945"));
    const slice = sliceOf({ taker }, { inventoryRisk: 100_000n });
    expectNear(slice.maxFraction, "0.4012", "0.001"); // 28/32 · 0.45848
    expect(slice.plan.fraction).to.equal(slice.maxFraction);
    expectNear(slice.profit, "9.295", "0.03"); // 28/32 · 10.701 − 0.0117 · 5.835
  });

  it("LIQ-5 no more than MAX_INVENTORY where nothing hedges, what it holds already included", () => {
    // 3,890 USD are 2 ETH: 13 steps of 0.14328 are 1.8627, 14 would be 2.006
    expectNear(sliceOf({}, { maxInventory: wad("3890") }).maxFraction, "0.18626", "0.0005");
    // long 1 already: 6 steps are 0.8597
    const long = accountOf(wad("100000"), WAD, wad("1945"));
    expectNear(sliceOf({ taker: long }, { maxInventory: wad("3890") }).maxFraction, "0.08597", "0.0003");
    // short 1: 3 more would be 2 long, so 20 steps, 2.866
    const short = accountOf(wad("100000"), -WAD, wad("1945"));
    expectNear(sliceOf({ taker: short }, { maxInventory: wad("3890") }).maxFraction, "0.28655", "0.0006");
    const none = decideOn({}, { maxInventory: 0n });
    expect(none).to.deep.equal({
      action: "flag",
      reason: "more than MAX_INVENTORY allows to hold and the venue would hedge",
    });
  });

  it("LIQ-5 more than that as far as the venue would hedge the rest, for what that costs", () => {
    // 3 ETH can be traded for 0.5 each: 20 steps, 2.8655 ETH, bring 2.8655 · (2.334 − 0.5) = 5.255
    const slice = sliceOf({ venue: venueOf("3", "0.5") }, { maxInventory: 0n });
    expectNear(slice.maxFraction, "0.28655", "0.0006");
    expectNear(slice.profit, "5.255", "0.02");
    // at a cost of 3 each it is better to keep 2 ETH than to hedge more: 14 steps, 14/32 · 10.701 − 0.0059 · 3
    const dear = sliceOf({ venue: venueOf("3", "3") }, { maxInventory: wad("3890") });
    expectNear(dear.maxFraction, "0.20058", "0.0005");
    expectNear(dear.profit, "4.664", "0.02");
    // what is hedged is no risk: 1 % of 3 % on the 2 ETH that are kept, 1.167, though 2.5848 more are taken
    const kept = sliceOf({ venue: venueOf("3", "0") }, { maxInventory: wad("3890"), inventoryRisk: 10_000n });
    expectNear(kept.gain - kept.profit, "1.167", "0.003");
    expect(decideOn({ venue: venueOf("10", "3") }, { maxInventory: 0n, minProfit: 1n }).action).to.equal("flag");
  });

  it("LIQ-5 as much as its margin can carry, to a step", () => {
    // 200 + 23.34·f ≥ 972.5·f: f ≤ 0.2107, which is 14 of 32 steps
    const slice = sliceOf({ taker: emptyAccount({ cash: wad("200") }) });
    expectNear(slice.maxFraction, "0.20058", "0.0005");
    expect(reasonOf({ taker: emptyAccount({ cash: wad("1") }) })).to.equal("more than the taker can carry");
    const little = reasonOf({ taker: emptyAccount({ cash: wad("200") }) }, { minProfit: wad("10") });
    expect(little).to.match(/^brings 4\.6\d USD .*: less than MIN_PROFIT for as much as the taker can carry$/);
  });

  it("LIQ-5 says from which discount on it would pay and when that is reached, and takes it then", () => {
    // 20 is 1.869 times 10.701: 5 % · 1.869 = 9.35 %, a clock of 180 · 4.35 / 55 = 14.2
    expect(reasonOf({}, { minProfit: wad("20") })).to.match(
      /^brings 10\.7\d USD at a discount of 5\.0 %, less than 20\.00; pays at a discount of 9\.3 %, reached in 15 s$/,
    );
    // the slice grows with the discount, so a clock of 13, 8.97 %, is just too early: 0.8 · 0.47 · 8.97 % · 583.5 = 19.68
    expect(decideOn({ auction: auctionAt(13n) }, { minProfit: wad("20") }).action).to.not.equal("take");
    expect(decideOn({ auction: auctionAt(15n) }, { minProfit: wad("20") }).action).to.equal("take");
    expect(reasonOf({}, { minProfit: wad("1000") })).to.match(/; no discount of this auction pays$/);
    // E = 20 is less than 5 % of MM: sold whole, 80 % of 20 are the taker's
    expect(reasonOf({ cash: "570" }, { minProfit: wad("17") })).to.equal(
      "brings 16.00 USD at a discount of 5.0 %, less than 17.00; it is sold whole for its equity, and only a rescue by the fund can bring more",
    );
  });

  it("LIQ-5 waits for a better discount only if it is told to be patient, and never with what is sold whole", () => {
    const patience = 90n; // 5 % + 55 % / 2
    expect(decideOn({ auction: auctionAt(30n) }, { patience }).action).to.equal("wait");
    expect(reasonOf({ auction: auctionAt(30n) }, { patience })).to.match(
      /^brings 3\d\.\d\d USD at a discount of 14\.2 %; waits for 32\.5 % in 60 s$/,
    );
    expect(decideOn({ auction: auctionAt(90n) }, { patience }).action).to.equal("take");
    expect(decideOn({ auction: auctionAt(30n) }).action).to.equal("take");
    expect(decideOn({ cash: "570" }, { patience }).action).to.equal("take");
  });

  it("LIQ-5 does not pay for flags that move no clock any more", () => {
    const minProfit = wad("1000"); // more than any discount brings
    const later = { ...HOUSE, time: HOUSE.time + 3600n };
    const observed = (clock: bigint, cash?: string, rescueClock = 0n) => {
      const auction = { ...auctionAt(clock), rescueClock };
      return decideOn({ auction, house: later, ...(cash !== undefined && { cash }) }, { minProfit }).action;
    };
    expect(observed(179n)).to.equal("flag");
    // E = 540 is more than 60 % of 583.5: its rescue does not begin
    expect(observed(180n)).to.equal("wait");
    // E = 100 is less than 350.1: the clock of the rescue runs from 1 to 181
    expect(observed(180n, "650", 180n)).to.equal("flag");
    expect(observed(180n, "650", 181n)).to.equal("wait");
  });

  it("LIQ-5 leaves the flagger's share out of the gain", () => {
    // 70 % of 13.376 if somebody else has flagged
    expectNear(sliceOf({ auction: { ...auctionAt(0n), flagger: FLAGGER } }).gain, "9.363", "0.03");
  });
});
