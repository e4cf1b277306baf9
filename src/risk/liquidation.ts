import { judge } from "./assess.ts";
import { discount, rescueShare, sinks, type Auction } from "./auction.ts";
import {
  ClaimsNotAccepted,
  FractionTooSmall,
  InsufficientCash,
  NoCashCall,
  NothingToSell,
  NotLiquidatable,
} from "./errors.ts";
import { abs, divUp, min, positive, PPM, WAD } from "./fixed.ts";
import { collateralOf, marketOf, priceOf } from "./house.ts";
import { currentLending, debtOf, lentOf, loansOf, raiseCash, repay, sharesOf, unflag, writeOff } from "./lending.ts";
import {
  collateralValue,
  credit,
  legs,
  payLosses,
  settleAll,
  split,
  totalLoss,
  totalProfit,
  uncoveredDebt,
  type Leg,
} from "./pools.ts";
import { snapshotOf, valueOf, type Snapshot } from "./portfolio.ts";
import { change, sides } from "./positions.ts";
import { delistingRamp, saleablePrice } from "./prices.ts";
import { slice, sliceOfRest, stuckMargin } from "./slice.ts";
import type { AccountState, Assessment, Books, HouseState } from "./types.ts";

const FUND_SHARE = 200_000n; // [ppm] of the cost
const FLAGGER_SHARE = 100_000n; // [ppm] of the cost
const CASH_CALL_DELAY = 24n * 3600n; // [s] of observed time
const CASH_CALL_DISCOUNT = WAD / 20n;
const DUST = 10n * WAD; // [wad] USD below which nothing is left behind

/** What a liquidator asks for. */
export interface LiquidationRequest {
  /** The auction with its clocks advanced to the time of the call, see `advance`. */
  readonly auction: Auction;
  /** Owner of the account that is sold; he earns nothing for flagging it. */
  readonly owner: string;
  /** Owner of the taker's account; a flagger who takes keeps his share as the taker. */
  readonly taker: string;
  /** Largest slice to take [wad]; as much as is needed if left out. */
  readonly maxFraction?: bigint;
  /** Whether claims on pools are accepted where the account has nothing else to give; no if left out. */
  readonly acceptClaims?: boolean;
  /** Deficit [wad] that the last flag recorded of the account in the lending pool; none if left out. */
  readonly recordedDebt?: bigint;
  /** What the insurance fund can pay of a debt now [wad]; all of it if left out. */
  readonly fundRoom?: bigint;
}

/** A leg that moves from the account to the taker. */
export interface MovedLeg {
  /** id of the market */
  readonly market: number;
  /** [wad] what the taker gets */
  readonly size: bigint;
  /** [wad] added to the account's quote and taken off the taker's, besides the size at the mark */
  readonly credit: bigint;
}

/** Collateral that moves from the account to the taker. */
export interface MovedCollateral {
  /** of the collateral asset */
  readonly id: number;
  /** [wad] */
  readonly amount: bigint;
}

/** A slice that changes hands. Amounts are [wad]. */
export interface Deal {
  /** f, zero where nothing is left to sell */
  readonly fraction: bigint;
  /** what the sale takes off the account's equity */
  readonly cost: bigint;
  /** part of the cost for the insurance fund */
  readonly toFund: bigint;
  /** part of the cost for who flagged the account */
  readonly toFlagger: bigint;
  /** cost − toFund − toFlagger, what the taker keeps */
  readonly gain: bigint;
  /** cash to the account, negative: from it */
  readonly payment: bigint;
  /** cash that the taker pays, negative: that he gets */
  readonly paid: bigint;
  /** collateral that moves */
  readonly collaterals: readonly MovedCollateral[];
  /** positions that move */
  readonly legs: readonly MovedLeg[];
  /** of lent cash that the account pays with */
  readonly lentShares: bigint;
  /** of the debt that moves */
  readonly debtShares: bigint;
  /** the account and its house after settlement and waterfall, before the sale */
  readonly opened: Books;
  /** the account after the call, if its taker pays in cash */
  readonly after: AccountState;
}

/** What `ClearingHouse.liquidate` would do now. Amounts are [wad]. */
export interface LiquidationPlan extends Deal {
  /** before */
  readonly assessment: Assessment;
  /** d */
  readonly discount: bigint;
  /** fraction that makes the account whole */
  readonly needed: bigint;
  /** what the fund owes the taker of a sinking account, before the fund's caps */
  readonly rescue: bigint;
  /** what goes through the waterfall first */
  readonly deficit: bigint;
}

/** What `ClearingHouse.cashCall` would do now. Amounts are [wad]. */
export interface CashCallPlan extends Deal {
  /** before */
  readonly assessment: Assessment;
  /** what settlement could not collect */
  readonly loss: bigint;
}

/** What the taker of a cash call asks for. */
export interface CashCallRequest {
  /** [s] observed time plus one for which the loss has waited, as `LedgerTypes.Auction`. */
  readonly cashCallClock: bigint;
  /** Largest slice to take [wad]; as much as is allowed if left out. */
  readonly maxFraction?: bigint;
  /** Whether claims on pools are accepted where the account has nothing else to give; no if left out. */
  readonly acceptClaims?: boolean;
}

/** A slice as it is put up for sale. */
interface Offer {
  readonly fraction: bigint;
  readonly cost: bigint;
  readonly flaggerShare: bigint; // [ppm] of the cost
  readonly acceptClaims: boolean;
  readonly degraded: boolean; // part of the account has no usable price and stays
}

/** A slice while it is priced. */
interface Sale {
  readonly fraction: bigint;
  readonly cost: bigint;
  readonly collaterals: readonly { readonly id: number; readonly amount: bigint; readonly value: bigint }[];
  readonly owed: readonly bigint[]; // [wad] unsettled loss that moves, by leg
  readonly payment: bigint;
  readonly lentShares: bigint; // of lent cash that pays
  readonly debtShares: bigint; // of the debt that moves
  readonly kept: bigint; // [wad] unsettled loss that stays because the account cannot pay for its removal
  readonly claims: bigint; // [wad] profit that moves for the same reason
}

/** What moving a slice needs to know of its deal. */
type Transfer = Pick<Deal, "payment" | "paid" | "collaterals" | "legs" | "lentShares" | "debtShares">;

/**
 * Plans the liquidation of an account with the steps and the rounding of `ClearingHouse.liquidate`. What has no usable price stays,
 * and MM is then what the rest adds to it.
 *
 * @param account that is sold from
 * @param house prices, markets, parameters and the lending pool
 * @param request what the liquidator asks for
 * @returns what would move
 * @throws {@link NotLiquidatable} if E ≥ MM
 * @throws {@link FractionTooSmall} if `maxFraction` would take or leave dust, or is less than the whole of an account with E ≤ d · MM
 * @throws {@link NothingToSell} if nothing has a usable price, or what has none needs all the margin
 * @throws {@link ClaimsNotAccepted} if the account can pay the taker only in claims
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownUnderlying} if an underlying has no risk parameters
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 *
 * @example
 * ```ts
 * const eth = { ...house.prices.get(0)!, price: 1030n * WAD };
 * const crashed = { ...house, prices: new Map(house.prices).set(0, eth) };
 * const auction = advanceAuction(undefined, assessAccount(account, crashed), bob.address, house.time);
 * const plan = planLiquidation(account, crashed, { auction, owner: alice.address, taker: bob.address });
 * console.log(marginState(assessAccount(plan.after, plan.opened.house))); // → healthy
 * ```
 */
export function planLiquidation(
  account: AccountState,
  house: HouseState,
  request: LiquidationRequest,
): LiquidationPlan {
  const s = snapshotOf(account, house, "kindest");
  const assessment = judge(s, house.risk);
  const { equity, maintenanceMargin } = assessment;
  if (s.flat || equity >= maintenanceMargin) throw new NotLiquidatable(equity, maintenanceMargin);
  const { auction, owner, taker, acceptClaims = false } = request;
  const d = discount(auction.clock);
  const { degraded } = s;
  const { needed, base } = neededSlice(s, house, d, assessment);
  const settled = settleAll({ account, house });
  const opened = degraded || equity >= 0n ? settled : absorb(settled, -equity, request);
  const list = legs(opened.account, opened.house);
  const hasAssets = canSell(opened, list);
  if (!hasAssets && degraded) throw new NothingToSell();
  const whole = !degraded && sinks(equity, base, auction.clock);
  const fraction = hasAssets ? min(needed, request.maxFraction ?? WAD) : 0n;
  if (hasAssets && fraction !== needed && (whole || isDust(opened, list, fraction))) {
    throw new FractionTooSmall(fraction, needed);
  }
  const cost = whole ? positive(equity) : divUp(fraction * d * base, WAD * WAD);
  const earns = ![owner, taker].includes(auction.flagger);
  return {
    ...sell(opened, list, { fraction, cost, flaggerShare: earns ? FLAGGER_SHARE : 0n, acceptClaims, degraded }),
    assessment,
    discount: d,
    needed,
    rescue: whole ? rescue(list, assessment, auction, cost) : 0n,
    deficit: degraded ? 0n : positive(-equity),
  };
}

/**
 * Plans a cash call with the steps and the rounding of `ClearingHouse.cashCall`: a slice of an account whose loss has waited for
 * cash longer than a day, whatever its health. The ledger also wants no money to have moved in the lending pool in the same block.
 *
 * @param account that is sold from
 * @param house prices, markets, parameters and the lending pool
 * @param request what the liquidator asks for
 * @returns what would move
 * @throws {@link NoCashCall} if no loss has waited long enough, or the account is to be liquidated instead
 * @throws {@link NothingToSell} if its collateral is worth no more than its debt
 * @throws {@link ClaimsNotAccepted} if the account can pay the taker only in claims
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link UnknownUnderlying} if an underlying has no risk parameters
 * @throws {@link UnknownCollateral} if a collateral asset of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 * @throws {@link MissingRate} if the rate of a collateral asset that it holds is unusable
 *
 * @example
 * ```ts
 * try {
 *   planCashCall(account, house, { cashCallClock: 0n });
 * } catch (error) {
 *   if (error instanceof NoCashCall) console.log(error.clock); // → 0n
 * }
 * ```
 */
export function planCashCall(account: AccountState, house: HouseState, request: CashCallRequest): CashCallPlan {
  const s = snapshotOf(account, house, "cautious");
  const assessment = judge(s, house.risk);
  const opened = settleAll({ account, house });
  const list = legs(opened.account, opened.house);
  const loss = totalLoss(list);
  const stuck = s.degraded ? stuckMargin(s.portfolio, house.risk) : 0n;
  const limit = (CASH_CALL_DISCOUNT * positive(assessment.maintenanceMargin - stuck)) / WAD;
  if (loss === 0n || request.cashCallClock <= CASH_CALL_DELAY || assessment.equity <= limit) {
    throw new NoCashCall(loss, request.cashCallClock);
  }
  const { debt } = loansOf(opened.account, opened.house.lending, house.time);
  const value = collateralValue(opened.account, opened.house);
  if (value <= debt) throw new NothingToSell();
  const fraction = min(min(WAD, request.maxFraction ?? WAD), (loss * WAD) / (value - debt));
  const cost = divUp(fraction * limit, WAD);
  const offer = { fraction, cost, flaggerShare: 0n, acceptClaims: request.acceptClaims ?? false, degraded: false };
  return { ...sell(opened, list, offer), assessment, loss };
}

/**
 * The taker's account after a planned liquidation or cash call, the rescue reward left aside.
 *
 * @param taker account that gets the slice
 * @param deal what moves
 * @returns the account afterwards
 * @throws {@link InsufficientCash} if he cannot raise what he has to pay
 * @throws {@link UnknownMarket} if a market of it is not in `house`
 * @throws {@link MissingPrice} if something that it holds has no usable price
 *
 * @example
 * ```ts
 * const eth = { ...house.prices.get(0)!, price: 1030n * WAD };
 * const crashed = { ...house, prices: new Map(house.prices).set(0, eth) };
 * const auction = advanceAuction(undefined, assessAccount(account, crashed), bob.address, house.time);
 * const plan = planLiquidation(account, crashed, { auction, owner: alice.address, taker: bob.address });
 * const taker = takeOver({ ...account, positions: new Map() }, plan);
 * console.log(taker.positions.get(0)?.size === plan.legs[0]?.size); // → true
 * ```
 */
export function takeOver(taker: AccountState, deal: Deal): AccountState {
  return hand(deal.opened, taker, deal).taker;
}

/** A taker who pays everything in cash, the debt that he takes over too. */
const RICH: AccountState = {
  cash: 2n ** 112n - 1n,
  lentShares: 0n,
  debtShares: 0n,
  positions: new Map(),
  collaterals: new Map(),
};

/** The deal on an offer. */
function sell(opened: Books, list: readonly Leg[], offer: Offer): Deal {
  const sale = price(opened, list, offer);
  const { fraction, cost } = sale;
  const toFund = divUp(cost * FUND_SHARE, PPM);
  const toFlagger = (cost * offer.flaggerShare) / PPM;
  const transfer: Transfer = {
    payment: sale.payment,
    paid: sale.payment + toFund + toFlagger,
    collaterals: sale.collaterals.map(({ id, amount }) => ({ id, amount })),
    legs: moveLegs(list, sale),
    lentShares: sale.lentShares,
    debtShares: sale.debtShares,
  };
  const sold = hand(opened, RICH, transfer).books;
  const owes = sale.owed.some((owed) => owed !== 0n);
  return {
    fraction,
    cost,
    toFund,
    toFlagger,
    gain: cost - toFund - toFlagger,
    ...transfer,
    opened,
    after: (owes ? payLosses(sold) : sold).account,
  };
}

/**
 * The slice that makes the account whole, and the MM that the penalty is taken on: of a degraded account what the rest adds to it,
 * at no more than E / MM of that, so that the ratio never falls.
 */
function neededSlice(
  { portfolio, degraded }: Snapshot,
  { risk }: HouseState,
  d: bigint,
  { equity, maintenanceMargin }: Assessment,
): { needed: bigint; base: bigint } {
  if (!degraded) return { needed: (risk.slice ?? slice)(portfolio, risk, d, DUST), base: maintenanceMargin };
  const stuck = stuckMargin(portfolio, risk);
  if (maintenanceMargin <= stuck) throw new NothingToSell();
  const ratio = (positive(equity) * WAD) / maintenanceMargin;
  const base = ((maintenanceMargin - stuck) * min(ratio, d)) / d;
  return { needed: sliceOfRest(portfolio, risk, d * base), base };
}

function canSell({ account, house }: Books, list: readonly Leg[]): boolean {
  if (list.some((leg) => leg.size !== 0n && !leg.stuck)) return true;
  return [...account.collaterals].some(([id, balance]) => balance !== 0n && saleablePrice(house, id) !== 0n);
}

/** Whether a slice is dust or leaves dust. */
function isDust({ account, house }: Books, list: readonly Leg[], fraction: bigint): boolean {
  let gross = collateralValue(account, house);
  for (const leg of list) {
    if (leg.size !== 0n && !leg.stuck) gross += (abs(leg.size) * markOf(house, leg.market)) / WAD;
  }
  return gross * min(fraction, WAD - fraction) < DUST * WAD;
}

function markOf(house: HouseState, market: number): bigint {
  return priceOf(house, marketOf(house, market).underlying).price;
}

/** The books after a deficit [wad] has gone through the waterfall. Delisted collateral is forfeited. */
function absorb(
  books: Books,
  deficit: bigint,
  { recordedDebt = 0n, fundRoom }: Pick<LiquidationRequest, "recordedDebt" | "fundRoom">,
): Books {
  const { account: before, house: unflagged } = unflag(books, recordedDebt);
  const kept = [...before.collaterals].filter(
    ([id]) => delistingRamp(collateralOf(unflagged, id), unflagged.time) !== PPM,
  );
  const forfeited = { account: { ...before, collaterals: new Map(kept) }, house: unflagged };
  const list = legs(forfeited.account, unflagged);
  const { parts, ofDebt } = split(list, uncoveredDebt(forfeited), deficit);
  const { account, house } = ofDebt === 0n ? forfeited : writeOff(forfeited, ofDebt, min(ofDebt, fundRoom ?? ofDebt));
  const positions = new Map(account.positions);
  list.forEach(({ market }, i) => {
    const position = positions.get(market);
    if (position !== undefined) positions.set(market, { ...position, quote: position.quote + (parts[i] ?? 0n) });
  });
  return { account: { ...account, positions }, house };
}

/**
 * payment = value − debt − owed − cost. Where it runs towards the taker the account pays from cash, then lent cash, then by keeping
 * that much of its debt and of its losses, then, if the taker accepts, with claims on pools.
 */
function price({ account, house }: Books, list: readonly Leg[], offer: Offer): Sale {
  const { fraction, cost, acceptClaims, degraded } = offer;
  const collaterals = takeCollateral(account, house, fraction);
  const owed = list.map((leg) => (positive(-leg.pnl) * fraction) / WAD);
  const totalOwed = owed.reduce((sum, part) => sum + part, 0n);
  const pool = currentLending(house.lending, house.time);
  const debtShares = (account.debtShares * fraction) / WAD;
  const debt = debtOf(pool, account.debtShares) - debtOf(pool, account.debtShares - debtShares);
  const payment = collaterals.reduce((sum, c) => sum + c.value, 0n) - debt - totalOwed - cost;
  const sale = { fraction, cost, collaterals, owed };
  if (payment >= 0n) return { ...sale, payment, lentShares: 0n, debtShares, kept: 0n, claims: 0n };
  const cash = min(-payment, account.cash);
  let due = -payment - cash;
  const lent = lentOf(pool, account.lentShares);
  const lentShares = due === 0n ? 0n : due >= lent ? account.lentShares : sharesOf(pool, due);
  due -= min(due, lent);
  const fromDebt = min(due, debt);
  const moving = fromDebt === 0n ? debtShares : divUp(debtShares * (debt - fromDebt), debt);
  const kept = min(due - fromDebt, totalOwed);
  const unpaid = due - fromDebt - kept;
  // What is left of a degraded account has no price and cannot pay: the cost is what can.
  const forgone = degraded ? min(unpaid, cost) : 0n;
  const claims = unpaid - forgone;
  if (claims > (acceptClaims ? totalProfit(list) : 0n)) throw new ClaimsNotAccepted(claims);
  return { ...sale, cost: cost - forgone, payment: -cash, lentShares, debtShares: moving, kept, claims };
}

/** f of every collateral balance, rounded up to whole token units; what would be left as dust moves too. */
function takeCollateral(account: AccountState, house: HouseState, fraction: bigint): Sale["collaterals"] {
  if (fraction === 0n) return [];
  return [...account.collaterals]
    .filter(([id, balance]) => balance !== 0n && saleablePrice(house, id) !== 0n)
    .sort(([a], [b]) => a - b)
    .map(([id, balance]) => {
      const { decimals, minBalance } = collateralOf(house, id);
      const share = wholeUp(divUp(balance * fraction, WAD), decimals);
      const amount = balance < share + minBalance ? balance : share;
      const at = saleablePrice(house, id);
      return { id, amount, value: valueOf(balance, at) - valueOf(balance - amount, at) };
    });
}

/** The next amount [wad] of whole token units. */
function wholeUp(amount: bigint, decimals: number): bigint {
  const unit = decimals >= 18 ? 1n : 10n ** BigInt(18 - decimals);
  return divUp(amount, unit) * unit;
}

/** f of every size, rounded up, and each leg's share of losses and claims. */
function moveLegs(list: readonly Leg[], sale: Sale): MovedLeg[] {
  let { kept, claims } = sale;
  return list.map((leg, i) => {
    const owed = sale.owed[i] ?? 0n;
    const stays = min(owed, kept);
    const claim = min(positive(leg.pnl), claims);
    kept -= stays;
    claims -= claim;
    const size = leg.stuck ? 0n : divUp(abs(leg.size) * sale.fraction, WAD);
    return { market: leg.market, size: leg.size < 0n ? -size : size, credit: owed - stays - claim };
  });
}

/** A taker who got less than the rescue's share of MM is owed the rest. */
function rescue(list: readonly Leg[], assessment: Assessment, auction: Auction, cost: bigint): bigint {
  if (list.every((leg) => leg.size === 0n)) return 0n;
  const base = min(assessment.maintenanceMargin, auction.maintenanceAtFlag);
  return positive((base * rescueShare(auction.rescueClock)) / WAD - cost);
}

/** Both accounts and the house after a slice has moved and was paid for, the fund's and the flagger's shares left aside. */
function hand({ account, house }: Books, taker: AccountState, t: Transfer): { books: Books; taker: AccountState } {
  const given = moved(account, house, t, -1n);
  const taken = moved(taker, house, t, 1n);
  const paying = t.paid > 0n ? debit({ account: taken, house }, t.paid) : credit({ account: taken, house }, -t.paid);
  const seller = { account: given, house: paying.house };
  const paid =
    t.payment > 0n ? credit(seller, t.payment) : { ...seller, account: { ...given, cash: given.cash + t.payment } };
  const buyer = { account: paying.account, house: paid.house };
  const cleared = t.debtShares === 0n && t.lentShares === 0n ? buyer : repay(buyer);
  return { books: { account: paid.account, house: cleared.house }, taker: cleared.account };
}

/** An account after a slice reached (`sign` 1) or left (−1) it, unpaid. */
function moved(account: AccountState, house: HouseState, t: Transfer, sign: 1n | -1n): AccountState {
  const balances = new Map(account.collaterals);
  for (const { id, amount } of t.collaterals) balances.set(id, (balances.get(id) ?? 0n) + sign * amount);
  const positions = new Map(account.positions);
  for (const { market, size, credit } of t.legs) {
    if (size === 0n && credit === 0n) continue;
    const mark = size === 0n ? 0n : markOf(house, market);
    const s = sides(marketOf(house, market), house.time);
    positions.set(market, change(positions.get(market), sign * size, mark, s, -sign * credit));
  }
  return {
    cash: account.cash,
    lentShares: account.lentShares + sign * t.lentShares,
    debtShares: account.debtShares + sign * t.debtShares,
    positions,
    collaterals: balances,
  };
}

/** The books after `amount` [wad] has left an account, from its cash, its lent cash and by borrowing. */
function debit(books: Books, amount: bigint): Books {
  const missing = positive(amount - books.account.cash);
  const { account, house } = missing === 0n ? books : raiseCash(books, missing, true);
  if (account.cash < amount) throw new InsufficientCash(account.cash, amount);
  return { account: { ...account, cash: account.cash - amount }, house };
}
