import type { LogDescription } from "ethers";

import { IClearingHouse__factory } from "../../../types/index.ts";
import { measure } from "../../risk/assess.ts";
import { discount } from "../../risk/auction.ts";
import { positive, WAD } from "../../risk/fixed.ts";
import { snapshotOf } from "../../risk/portfolio.ts";
import { saleablePrice } from "../../risk/prices.ts";
import { slice } from "../../risk/slice.ts";
import type { AccountState, HouseState } from "../../risk/types.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import type { Chronicle } from "../chronicle.ts";
import { toNumber } from "../format.ts";
import type { Asset } from "../path.ts";
import type { Receipt } from "./chain.ts";
import type { LabHouse } from "./house.ts";
import type { MarginTest, Quantiles, Series, Totals } from "./result.ts";
import type { View } from "./view.ts";

const DUST = 10n * WAD; // [wad] USD below which the ledger leaves nothing behind
const FIRST_DISCOUNT = discount(0n);
const CENTS = 100;
const SHARE_DIGITS = 6;

const abi = IClearingHouse__factory.createInterface();
const TOPICS: ReadonlySet<string> = new Set(
  (["PositionTaken", "CollateralTaken", "Liquidated", "DeficitAbsorbed", "RescuePaid"] as const).map(
    (name) => abi.getEvent(name).topicHash,
  ),
);

/** An account below MM. */
interface Breach {
  readonly since: number; // [s]
  /** [USD] of notional that would be enough to sell */
  readonly minimum: number;
  sliced: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly number[] ? number[] : T[K] };

/** All that a `Bookkeeper` remembers. Amounts are USD. */
export interface RecordState {
  series: Mutable<Omit<Series, "price" | "feed">> & { price: Record<Asset, number[]>; feed: Record<Asset, number[]> };
  readonly breaches: Map<AccountId, Breach>;
  readonly liquidated: Set<AccountId>;
  readonly toSlice: number[];
  readonly toCure: number[];
  counts: Record<(typeof COUNTS)[number], number>;
}

const COUNTS = [
  ...(["blocks", "transactions", "liquidations", "slices", "liquidatedNotional", "minimumNotional"] as const),
  ...(["penalties", "deficits", "marginCalls", "reactions", "gains", "gas", "hedging", "outrun"] as const),
  ...(["fundStart", "peakUtilisation", "peakImpact"] as const),
] as const;

export function newRecord(): RecordState {
  return {
    series: {
      ...{ time: [], price: { ETH: [], BTC: [] }, feed: { ETH: [], BTC: [] }, belowMaintenance: [], belowInitial: [] },
      ...{ liquidatedNotional: [], penalties: [], fund: [], deficits: [], openInterest: [], utilisation: [] },
    },
    ...{ breaches: new Map(), liquidated: new Set(), toSlice: [], toCure: [] },
    counts: Object.fromEntries(COUNTS.map((name) => [name, 0])) as RecordState["counts"],
  };
}

/** Keeps the books of a run. */
export class Bookkeeper {
  readonly state: RecordState;
  readonly #house: LabHouse;

  constructor(house: LabHouse, state: RecordState) {
    [this.#house, this.state] = [house, state];
  }

  count(name: (typeof COUNTS)[number], by = 1): void {
    this.state.counts[name] += by;
  }

  /** Reads what happened in a block, at the prices at its end. */
  block(receipts: readonly Receipt[], { house, time }: Pick<View, "house" | "time">): void {
    this.count("blocks");
    this.count("transactions", receipts.length);
    let sold = 0;
    for (const { name, args } of this.#events(receipts)) {
      const amount = (field: string) => toNumber(args.getValue(field) as bigint);
      const id = (field: string) => Number(args.getValue(field));
      if (name === "PositionTaken") sold += Math.abs(amount("size")) * toNumber(markOf(house, id("market")));
      else if (name === "CollateralTaken") sold += amount("amount") * toNumber(saleablePrice(house, id("collateral")));
      else if (name === "DeficitAbsorbed") this.count("deficits", amount("part"));
      else if (name === "RescuePaid") this.count("gains", amount("amount"));
      else {
        this.#slice(args.getValue("account") as AccountId, sold, time);
        this.count("penalties", amount("cost"));
        this.count("gains", amount("cost") - amount("toFund")); // only takers flag
        sold = 0;
      }
    }
  }

  /** Takes note of who is below MM. */
  standing({ below, house, time }: Pick<View, "below" | "house" | "time">, isOwners: (id: AccountId) => boolean): void {
    const { breaches } = this.state;
    const now = new Set<AccountId>();
    for (const { id, account } of below) {
      if (!isOwners(id)) continue;
      now.add(id);
      if (!breaches.has(id)) breaches.set(id, { since: time, sliced: false, minimum: minimumOf(account, house) });
    }
    for (const [id, { since, sliced, minimum }] of breaches) {
      if (now.has(id)) continue;
      breaches.delete(id);
      this.state.toCure.push(time - since);
      if (sliced) this.#end(id, minimum);
    }
  }

  /** Writes a line of the series. Prices are USD. */
  minute(
    time: number,
    price: Readonly<Record<Asset, number>>,
    feed: Readonly<Record<Asset, number>>,
    view: View,
  ): void {
    const { series, counts } = this.state;
    const { house, insuranceFund } = view.mirror;
    const { counts: standing } = view.watch;
    const below = standing.liquidatable + standing.bankrupt;
    const { lent, borrowed } = house.lending;
    const utilisation = lent === 0n ? 0 : share(Number(borrowed) / Number(lent));
    const interest = [...house.markets].reduce(
      (sum, [id, market]) => sum + toNumber((market.openInterest * view.priceOf(id)) / WAD),
      0,
    );
    for (const asset of ["ETH", "BTC"] as const) {
      series.price[asset].push(cents(price[asset]));
      series.feed[asset].push(cents(feed[asset]));
    }
    series.time.push(time);
    series.belowMaintenance.push(below);
    series.belowInitial.push(below + standing.marginCall);
    series.liquidatedNotional.push(cents(counts.liquidatedNotional));
    series.penalties.push(cents(counts.penalties));
    series.fund.push(cents(toNumber(insuranceFund.cash)));
    series.deficits.push(cents(counts.deficits + toNumber(openDeficit(view))));
    series.openInterest.push(cents(interest));
    series.utilisation.push(utilisation);
    counts.peakUtilisation = Math.max(counts.peakUtilisation, utilisation);
  }

  /**
   * What it came to.
   * @param cleared receipts of the block in which somebody took all who are below zero at the end
   */
  totals(view: View, told: Chronicle, marginTest: MarginTest, cleared: readonly Receipt[]): Totals {
    const { counts: c, breaches } = this.state;
    for (const [id, { sliced, minimum }] of breaches) if (sliced) this.#end(id, minimum); // not over yet, but begun
    const usd = (amount: bigint) => cents(toNumber(amount));
    const open = openDeficit(view);
    const badDebt = [...view.house.markets.values()].reduce((sum, market) => sum + market.badDebt, 0n);
    return {
      ...{ blocks: c.blocks, transactions: c.transactions },
      ...{ liquidatedAccounts: this.state.liquidated.size, liquidations: c.liquidations, slices: c.slices },
      ...{ liquidatedNotional: cents(c.liquidatedNotional), minimumNotional: cents(c.minimumNotional) },
      ...{ penalties: cents(c.penalties), penaltiesToFund: usd(told.penaltiesToFund) },
      ...{ fundStart: cents(c.fundStart), fundEnd: usd(view.mirror.insuranceFund.cash) },
      ...{
        deficits: usd(told.deficits + open),
        fromFund: usd(told.fromFund + told.badDebtRepaid),
        socialised: usd(told.socialised),
      },
      ...{ rescues: usd(told.rescues), fromLenders: usd(told.fromLenders), badDebt: usd(badDebt) },
      ...{ openDeficits: usd(open), openBeyondFund: usd(positive(open - this.#paidByFund(cleared))) },
      ...{ breachToSlice: quantiles(this.state.toSlice), breachToCure: quantiles(this.state.toCure) },
      ...{ marginCalls: c.marginCalls, reactions: c.reactions, marginTest, peakUtilisation: c.peakUtilisation },
      ...{ takersProfit: cents(c.gains - c.gas - c.hedging), takersGas: cents(c.gas), outrun: c.outrun },
      peakImpact: share(c.peakImpact),
    };
  }

  /** What the ledger has told of what is recorded here. */
  #events(receipts: readonly Receipt[]): LogDescription[] {
    const ledger = this.#house.book.contracts.clearingHouse.toLowerCase();
    const logs = receipts.flatMap((receipt) => receipt.logs);
    return logs
      .filter(({ address, topics }) => address.toLowerCase() === ledger && TOPICS.has(topics[0] ?? ""))
      .map((log) => abi.parseLog(log))
      .filter((event) => event !== null);
  }

  /** [wad] of deficits. */
  #paidByFund(receipts: readonly Receipt[]): bigint {
    const absorbed = this.#events(receipts).filter(({ name }) => name === "DeficitAbsorbed");
    return absorbed.reduce((sum, { args }) => sum + (args.getValue("fromFund") as bigint), 0n);
  }

  /** One slice of `sold` USD. */
  #slice(id: AccountId, sold: number, time: number): void {
    const { breaches, toSlice } = this.state;
    this.count("slices");
    this.count("liquidatedNotional", sold);
    const breach = breaches.get(id) ?? { since: time, sliced: false, minimum: sold }; // it sank and was sold in one block
    if (!breach.sliced) toSlice.push(time - breach.since);
    breach.sliced = true;
    breaches.set(id, breach);
  }

  /** A liquidation is over. */
  #end(id: AccountId, minimum: number): void {
    this.state.liquidated.add(id);
    this.count("liquidations");
    this.count("minimumNotional", minimum);
  }
}

function markOf(house: HouseState, market: number): bigint {
  return house.prices.get(house.markets.get(market)?.underlying ?? -1)?.price ?? 0n;
}

/** What accounts are below zero [wad] that nobody has taken or written off. */
function openDeficit({ below }: View): bigint {
  return below.reduce((sum, { assessment }) => sum + positive(-(assessment?.equity ?? 0n)), 0n);
}

/** Notional [USD] of the smallest slice that brings an account to IM at the first discount. */
function minimumOf(account: AccountState, house: HouseState): number {
  const { portfolio } = snapshotOf(account, house, "kindest");
  const fraction = slice(portfolio, house.risk, FIRST_DISCOUNT, DUST);
  return toNumber((measure(portfolio, house.risk).gross * fraction) / WAD);
}

/** Of times [s], by the nearest rank. */
export function quantiles(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}

function cents(usd: number): number {
  return Math.round(usd * CENTS) / CENTS;
}

function share(x: number): number {
  return Number(x.toFixed(SHARE_DIGITS));
}
