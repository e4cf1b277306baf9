import { assessAccount, freeCollateral } from "../../risk/account.ts";
import { advance } from "../../risk/auction.ts";
import type { Auction } from "../../risk/auction.ts";
import { abs, divUp, min, positive, PPM, WAD } from "../../risk/fixed.ts";
import { marketOf, priceOf } from "../../risk/house.ts";
import { planLiquidation, takeOver } from "../../risk/liquidation.ts";
import type { LiquidationPlan } from "../../risk/liquidation.ts";
import { available, legs, pnlOf, settleAll, split } from "../../risk/pools.ts";
import type { Leg } from "../../risk/pools.ts";
import { change, sides } from "../../risk/positions.ts";
import type {
  AccountState,
  Assessment,
  CollateralState,
  HouseState,
  LendingState,
  MarketState,
  PriceSnapshot,
  RiskParameters,
} from "../../risk/types.ts";
import { applyFill, tradingFee } from "../../risk/whatIf.ts";

const RAY36 = 10n ** 36n;
const FUND_CAP = 100_000n; // [ppm] of the fund per market and 24 h
const FEE_FUND_SHARE = 500_000n; // [ppm]
const BUCKET = 10_800n; // [s] of a rolling window
const BUCKETS = 9n;

/** An account that nobody has used. */
const NOBODY: AccountState = {
  cash: 0n,
  lentShares: 0n,
  debtShares: 0n,
  positions: new Map(),
  collaterals: new Map(),
};

/** Nobody lends and nobody borrows. */
const NO_LENDING: LendingState = {
  lent: 0n,
  borrowed: 0n,
  lentShares: 0n,
  debtShares: 0n,
  reserves: 0n,
  rate: 0n,
  time: 0n,
  flaggedDeficit: 0n,
  params: { kink: 800_000n, lowSlope: 0n, highSlope: 0n, reserveFactor: 0n },
};

/** What the house needs to know of a market. */
export interface MarketTerms {
  readonly underlying: number;
  readonly takerFee: bigint; // [ppm]
  readonly priceBand: bigint; // [ppm]
  readonly socialisationCap: bigint; // [ppm of the mark] per unit and 24 h
  readonly softCap: bigint; // [whole USD]
  readonly hardCap: bigint; // [whole USD]
}

/** What stays the same while a strategy is played. */
export interface Terms {
  readonly risk: RiskParameters;
  readonly markets: readonly MarketTerms[];
  readonly collaterals: ReadonlyMap<number, CollateralState>;
  readonly fund: bigint; // [wad] what the insurance fund begins with
  readonly capped: boolean; // whether the caps on fund and ℓ hold
}

/** Where deficits fell and what rescues cost [wad]. */
export interface Losses {
  deficits: bigint;
  fromFund: bigint;
  socialised: bigint; // on everybody of the other side
  badDebt: bigint;
  rescues: bigint;
  penalties: bigint;
  fees: bigint;
  slices: number;
}

/** Sum over the last 24 to 27 hours, as `RollingWindow.sol`. */
class Window {
  readonly #sums = new Map<bigint, bigint>();

  add(time: bigint, amount: bigint): void {
    const bucket = time / BUCKET;
    this.#sums.set(bucket, (this.#sums.get(bucket) ?? 0n) + amount);
  }

  sum(time: bigint): bigint {
    let total = 0n;
    for (const [bucket, amount] of this.#sums) if (bucket > time / BUCKET - BUCKETS) total += amount;
    return total;
  }
}

/**
 * A house in memory. All arithmetic of accounts is `src/risk`'s; what passes between accounts, pools, fund and the other side of
 * a market follows `Pools`, `Auctions`, `Liquidation` and `Waterfall`. Funding is left out: it is the same for both sides.
 */
export class House {
  readonly state: { -readonly [K in keyof HouseState]: HouseState[K] };
  readonly accounts = new Map<string, AccountState>();
  readonly losses: Losses = {
    deficits: 0n,
    fromFund: 0n,
    socialised: 0n,
    badDebt: 0n,
    rescues: 0n,
    penalties: 0n,
    fees: 0n,
    slices: 0,
  };
  #fund: bigint;
  readonly #terms: Terms;
  readonly #markets = new Map<number, MarketState>();
  readonly #auctions = new Map<string, Auction>();
  readonly #recorded = new Map<string, readonly bigint[]>(); // [wad] by market
  readonly #fees: bigint[];
  readonly #fundUse: Window[];
  readonly #charges: Record<"long" | "short", Window[]>;

  constructor(terms: Terms) {
    this.#terms = terms;
    this.#fund = terms.fund;
    terms.markets.forEach((market, id) => this.#markets.set(id, emptyMarket(market)));
    const windows = () => terms.markets.map(() => new Window());
    this.#fees = terms.markets.map(() => 0n);
    this.#fundUse = windows();
    this.#charges = { long: windows(), short: windows() };
    const { risk, collaterals } = terms;
    const lending = NO_LENDING;
    this.state = {
      time: 0n,
      risk,
      markets: this.#markets,
      collaterals,
      prices: new Map(),
      lastGood: new Map(),
      lending,
    };
  }

  /** Goes to `time` [s] with new prices by underlying. */
  at(time: bigint, prices: ReadonlyMap<number, PriceSnapshot>): void {
    this.state.time = time;
    this.state.prices = prices;
  }

  account(name: string): AccountState {
    return this.accounts.get(name) ?? NOBODY;
  }

  assess(name: string): Assessment {
    return assessAccount(this.account(name), this.state);
  }

  sizeOf(name: string, market: number): bigint {
    return this.account(name).positions.get(market)?.size ?? 0n;
  }

  priceOf(market: number): bigint {
    return priceOf(this.state, marketOf(this.state, market).underlying).price;
  }

  // ---------------------------------------------------------------- what owners do

  deposit(name: string, cash: bigint): void {
    const account = this.account(name);
    this.accounts.set(name, { ...account, cash: account.cash + cash });
  }

  depositCollateral(name: string, collateral: number, amount: bigint): void {
    const account = this.account(name);
    const balance = (account.collaterals.get(collateral) ?? 0n) + amount;
    this.accounts.set(name, { ...account, collaterals: new Map(account.collaterals).set(collateral, balance) });
  }

  /** Takes out all the cash that the account can spare and returns it [wad]. */
  withdraw(name: string): bigint {
    const account = this.account(name);
    const amount = min(account.cash, freeCollateral(account, this.state));
    if (amount > 0n) this.accounts.set(name, { ...account, cash: account.cash - amount });
    return positive(amount);
  }

  /** `taker` buys `size` [wad] (negative: sells) at `price` [wad] from `maker`, who pays no fee. `rests`: the taker pays none either. */
  trade(maker: string, taker: string, market: number, size: bigint, price: bigint, rests = false): void {
    const feeRate = rests ? 0n : this.#market(market).takerFee;
    const fee = tradingFee(size, price, feeRate);
    for (const [name, delta, rate] of [
      [maker, -size, 0n],
      [taker, size, feeRate],
    ] as const) {
      const before = this.account(name);
      const after = applyFill(before, this.state, { market, size: delta, price, feeRate: rate });
      this.#poolPayments(before, after, market);
      this.accounts.set(name, after);
    }
    this.#fees[market] = (this.#fees[market] ?? 0n) + fee;
    this.losses.fees += fee;
  }

  // ---------------------------------------------------------------- what anyone does

  /** Settles all that an account can pay and be paid. */
  settle(name: string): void {
    const { account, house } = settleAll({ account: this.account(name), house: this.state });
    for (const [id, market] of house.markets) this.#markets.set(id, market);
    this.accounts.set(name, account);
  }

  /** A winner's claims where bad debt stands. */
  claim(name: string): void {
    for (const { market, pnl } of legs(this.account(name), this.state)) {
      const { pool, badDebt, flaggedDeficit } = marketOf(this.state, market);
      if (pnl <= 0n || badDebt === 0n || pool === 0n) continue;
      const amount = min(pnl, (positive(pool - flaggedDeficit) * (pool + badDebt)) / pool);
      const paid = (amount * pool) / (pool + badDebt);
      this.#update(market, { pool: pool - paid, badDebt: badDebt - (amount - paid) });
      this.#addQuote(name, market, -amount);
      this.deposit(name, paid);
    }
  }

  /** Pays what fees the pools can pay to fund and treasury. */
  sweepFees(): void {
    this.#fees.forEach((fees, market) => {
      const state = marketOf(this.state, market);
      const toBadDebt = min(fees, state.badDebt);
      const paid = toBadDebt < state.badDebt ? 0n : min(fees - toBadDebt, available({ ...state, badDebt: 0n }));
      this.#fees[market] = fees - toBadDebt - paid;
      this.#update(market, { badDebt: state.badDebt - toBadDebt, pool: state.pool - paid });
      this.#fund += (paid * FEE_FUND_SHARE) / PPM;
    });
  }

  /** Starts or advances the auction of an account below MM and records its deficit; ends that of one that has recovered. */
  flag(name: string, flagger: string): void {
    const assessment = this.assess(name);
    const { equity, initialMargin, maintenanceMargin } = assessment;
    this.#record(name, positive(-equity));
    if (equity >= initialMargin) this.#auctions.delete(name);
    if (equity >= maintenanceMargin) return;
    this.#auctions.set(name, advance(this.#auctions.get(name), assessment, flagger, this.state.time));
  }

  /** `taker` takes as much as is needed of an account below MM. */
  liquidate(name: string, taker: string): void {
    const assessment = this.assess(name);
    const auction = advance(this.#auctions.get(name), assessment, taker, this.state.time);
    this.settle(name);
    const opened = this.account(name);
    const list = legs(opened, this.state);
    const plan = planLiquidation(opened, this.state, { auction, owner: name, taker, acceptClaims: true });
    this.#record(name, 0n); // `plan` is as if its own record were not there: a deficit is written off now
    this.#absorb(name, list, plan.deficit);
    this.#moveSlice(name, plan);
    this.accounts.set(taker, takeOver(this.account(taker), { ...plan, opened: { ...plan.opened, house: this.state } }));
    this.#creditFund(list, plan.toFund);
    if (plan.toFlagger !== 0n) this.deposit(auction.flagger, plan.toFlagger);
    this.#auctions.delete(name);
    this.losses.penalties += plan.cost;
    this.losses.slices += 1;
    this.#payRescue(taker, list, plan.rescue);
  }

  // ---------------------------------------------------------------- what stays true

  /** Σ PnL and unswept fees less pool and bad debt of a market [wad]: zero but for rounding. */
  imbalance(market: number): bigint {
    const { pool, badDebt } = marketOf(this.state, market);
    let sum = (this.#fees[market] ?? 0n) - pool - badDebt;
    for (const { positions } of this.accounts.values()) {
      const position = positions.get(market);
      if (position !== undefined) sum += pnlOf(position, market, this.state);
    }
    return sum;
  }

  /** Size of one side of a market [wad], without the accounts named. */
  openInterest(market: number, longs: boolean, without: readonly string[] = []): bigint {
    let sum = 0n;
    for (const [name, { positions }] of this.accounts) {
      const size = positions.get(market)?.size ?? 0n;
      if (size > 0n === longs && !without.includes(name)) sum += abs(size);
    }
    return sum;
  }

  /** Most that the fund may pay for a market in 24 hours, as it stands [wad]. */
  fundCap(market: number): bigint {
    const gross = this.#fund + this.#fundUsed(market);
    return this.#terms.capped ? (gross * FUND_CAP) / PPM : gross;
  }

  // ---------------------------------------------------------------- waterfall

  #absorb(name: string, list: readonly Leg[], deficit: bigint): void {
    const { parts } = split(list, 0n, deficit);
    list.forEach((leg, i) => {
      const part = parts[i] ?? 0n;
      if (part === 0n) return;
      const fromFund = this.#drawFund(leg.market, part);
      this.#addToPool(leg.market, fromFund);
      const socialised = this.#socialise(leg, part - fromFund);
      const badDebt = part - fromFund - socialised;
      this.#update(leg.market, { badDebt: marketOf(this.state, leg.market).badDebt + badDebt });
      this.#addQuote(name, leg.market, part);
      this.losses.fromFund += fromFund;
      this.losses.socialised += socialised;
      this.losses.badDebt += badDebt;
    });
    this.losses.deficits += deficit;
  }

  #socialise({ market, size }: Leg, amount: bigint): bigint {
    if (size !== 0n) return this.#charge(market, size < 0n, amount);
    return this.#charge(market, true, amount / 2n) + this.#charge(market, false, amount - amount / 2n);
  }

  /** Charges one side per unit of size, within the cap on its mark. */
  #charge(market: number, longs: boolean, amount: bigint): bigint {
    const openInterest = this.openInterest(market, longs);
    if (openInterest === 0n || amount === 0n) return 0n;
    const window = this.#charges[longs ? "long" : "short"][market] ?? new Window();
    const cap = (this.priceOf(market) * WAD * this.#market(market).socialisationCap) / PPM;
    const wanted = divUp(amount * RAY36, openInterest);
    const room = positive(cap - window.sum(this.state.time));
    const perUnit = this.#terms.capped ? min(room, wanted) : wanted;
    window.add(this.state.time, perUnit);
    const { longIndex, shortIndex } = marketOf(this.state, market);
    this.#update(market, longs ? { longIndex: longIndex + perUnit } : { shortIndex: shortIndex + perUnit });
    return min(amount, (perUnit * openInterest) / RAY36);
  }

  #payRescue(taker: string, list: readonly Leg[], reward: bigint): void {
    const weights = list.map(({ market, size }) => (abs(size) * this.priceOf(market)) / WAD);
    const notional = weights.reduce((sum, weight) => sum + weight, 0n);
    if (reward === 0n || notional === 0n) return;
    const paid = list.reduce(
      (sum, { market }, i) => sum + this.#drawFund(market, (reward * (weights[i] ?? 0n)) / notional),
      0n,
    );
    this.deposit(taker, paid);
    this.losses.rescues += paid;
  }

  #drawFund(market: number, amount: bigint): bigint {
    const drawn = min(amount, this.#fundRoom(market));
    this.#fund -= drawn;
    this.#fundUse[market]?.add(this.state.time, drawn);
    return drawn;
  }

  #fundRoom(market: number): bigint {
    return min(positive(this.fundCap(market) - this.#fundUsed(market)), this.#fund);
  }

  #fundUsed(market: number): bigint {
    return this.#fundUse[market]?.sum(this.state.time) ?? 0n;
  }

  /** Income of the fund repays bad debt of the markets it was earned in first. */
  #creditFund(list: readonly Leg[], amount: bigint): void {
    let left = amount;
    for (const { market } of list) {
      const { badDebt } = marketOf(this.state, market);
      const repaid = min(min(left, this.#fundRoom(market)), badDebt);
      if (repaid === 0n) continue;
      left -= repaid;
      this.#addToPool(market, repaid);
      this.#update(market, { badDebt: badDebt - repaid });
      this.#fundUse[market]?.add(this.state.time, repaid);
    }
    this.#fund += left;
  }

  // ---------------------------------------------------------------- books

  /** Sets the account to what is left of it; losses that it pays out of the sale go into the pools. */
  #moveSlice(name: string, plan: LiquidationPlan): void {
    const before = this.account(name);
    for (const { market, size, credit } of plan.legs) {
      const state = marketOf(this.state, market);
      const mark = size === 0n ? 0n : this.priceOf(market);
      const unpaid = change(before.positions.get(market), -size, mark, sides(state, this.state.time), credit);
      this.#addToPool(market, (plan.after.positions.get(market)?.quote ?? 0n) - unpaid.quote);
    }
    this.accounts.set(name, plan.after);
  }

  /** Replaces what flags recorded of an account's deficit. */
  #record(name: string, deficit: bigint): void {
    const old = this.#recorded.get(name) ?? [];
    const list = legs(this.account(name), this.state);
    const { parts } = split(list, 0n, deficit);
    const next = this.#terms.markets.map((_, market) => parts[list.findIndex((leg) => leg.market === market)] ?? 0n);
    next.forEach((part, market) => {
      const { flaggedDeficit } = marketOf(this.state, market);
      this.#update(market, { flaggedDeficit: flaggedDeficit + part - (old[market] ?? 0n) });
    });
    this.#recorded.set(name, next);
  }

  /** What an account has paid when a fill in `market` closed its position at a loss; its other losses share what cash there was. */
  #poolPayments(before: AccountState, after: AccountState, market: number): void {
    let paid = before.cash - after.cash;
    for (const [other, { quote }] of after.positions) {
      if (other === market) continue;
      const part = quote - (before.positions.get(other)?.quote ?? 0n);
      this.#addToPool(other, part);
      paid -= part;
    }
    this.#addToPool(market, paid);
  }

  #addQuote(name: string, market: number, amount: bigint): void {
    const account = this.account(name);
    const { size, quote } = account.positions.get(market) ?? { size: 0n, quote: 0n };
    const positions = new Map(account.positions).set(market, { size, quote: quote + amount });
    this.accounts.set(name, { ...account, positions });
  }

  #addToPool(market: number, amount: bigint): void {
    if (amount !== 0n) this.#update(market, { pool: marketOf(this.state, market).pool + amount });
  }

  #update(market: number, part: Partial<MarketState>): void {
    this.#markets.set(market, { ...marketOf(this.state, market), ...part });
  }

  #market(market: number): MarketTerms {
    const terms = this.#terms.markets[market];
    if (terms === undefined) throw new RangeError(`market ${market}`);
    return terms;
  }
}

function emptyMarket({ underlying, priceBand, softCap, hardCap }: MarketTerms): MarketState {
  return {
    underlying,
    funding: 0n,
    price: 0n,
    time: 0n,
    premium: 0n,
    lastPremium: 0n,
    longIndex: 0n,
    shortIndex: 0n,
    pool: 0n,
    flaggedDeficit: 0n,
    badDebt: 0n,
    openInterest: 0n, // counted from the accounts, see `House.openInterest`; it stays below the soft cap
    priceBand,
    softCap,
    hardCap,
  };
}
