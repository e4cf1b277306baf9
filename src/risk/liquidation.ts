import { assessAccount } from "./account.ts";
import { discount, rescueShare, sinks, type Auction } from "./auction.ts";
import { ClaimsNotAccepted, FractionTooSmall, NotLiquidatable } from "./errors.ts";
import { abs, divUp, min, positive, PPM, WAD } from "./fixed.ts";
import { collateralOf, marketOf, priceOf } from "./house.ts";
import { legs, payLosses, settleAll, split, totalProfit, type Leg } from "./pools.ts";
import { gather, valueOf } from "./portfolio.ts";
import { change, sides } from "./positions.ts";
import { slice } from "./slice.ts";
import type { AccountState, Assessment, HouseState } from "./types.ts";

const FUND_SHARE = 200_000n; // [ppm] of the cost
const FLAGGER_SHARE = 100_000n; // [ppm] of the cost
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
}

/** A leg that moves from the account to the taker. */
export interface MovedLeg {
  readonly market: number;
  readonly size: bigint; // [wad] what the taker gets
  readonly credit: bigint; // [wad] added to the account's quote and taken off the taker's, besides the size at the mark
}

/** What `ClearingHouse.liquidate` would do now. Amounts are [wad]. */
export interface LiquidationPlan {
  readonly assessment: Assessment; // before
  readonly discount: bigint; // d
  readonly needed: bigint; // fraction that makes the account whole
  readonly fraction: bigint; // f, zero where nothing is left to sell
  readonly cost: bigint;
  readonly toFund: bigint;
  readonly toFlagger: bigint;
  readonly gain: bigint; // cost − toFund − toFlagger, what the taker keeps
  readonly payment: bigint; // cash to the account, negative: from it
  readonly paid: bigint; // cash that the taker pays, negative: that he gets
  readonly rescue: bigint; // what the fund owes the taker of a sinking account, before the fund's caps
  readonly deficit: bigint; // what goes through the waterfall first
  readonly collaterals: readonly { readonly id: number; readonly amount: bigint }[];
  readonly legs: readonly MovedLeg[];
  readonly after: AccountState; // the account after the call
}

/** A slice while it is priced. */
interface Sale {
  readonly fraction: bigint;
  readonly cost: bigint;
  readonly collaterals: readonly { readonly id: number; readonly amount: bigint; readonly value: bigint }[];
  readonly owed: readonly bigint[]; // [wad] unsettled loss that moves, by leg
  readonly payment: bigint;
  readonly kept: bigint; // [wad] unsettled loss that stays because the account cannot pay for its removal
  readonly claims: bigint; // [wad] profit that moves for the same reason
}

/**
 * Plans the liquidation of an account with the steps and the rounding of `Liquidation.liquidate`.
 * @throws NotLiquidatable if E ≥ MM
 * @throws FractionTooSmall if `maxFraction` would take or leave dust, or is less than the whole of an account with E ≤ d · MM
 * @throws ClaimsNotAccepted if the account can pay the taker only in claims
 * @throws UnknownMarket, UnknownUnderlying, UnknownCollateral, MissingPrice
 */
export function planLiquidation(
  account: AccountState,
  house: HouseState,
  request: LiquidationRequest,
): LiquidationPlan {
  const assessment = assessAccount(account, house);
  const { equity, maintenanceMargin } = assessment;
  if (equity >= maintenanceMargin) throw new NotLiquidatable(equity, maintenanceMargin);
  const opened = absorb(settleAll(account, house), house, positive(-equity));
  const list = legs(opened, house);
  const { auction, owner, taker, acceptClaims = false } = request;
  const d = discount(auction.clock);
  const whole = sinks(assessment, auction.clock);
  const hasAssets = list.some((leg) => leg.size !== 0n) || [...opened.collaterals.values()].some((b) => b !== 0n);
  const needed = slice(gather(account, house), house.risk, d, DUST);
  const fraction = hasAssets ? min(needed, request.maxFraction ?? WAD) : 0n;
  if (hasAssets && fraction !== needed && (whole || isDust(opened, house, list, fraction))) {
    throw new FractionTooSmall(fraction, needed);
  }
  const cost = whole ? positive(equity) : divUp(fraction * d * maintenanceMargin, WAD * WAD);
  const toFund = divUp(cost * FUND_SHARE, PPM);
  const toFlagger = [owner, taker].includes(auction.flagger) ? 0n : (cost * FLAGGER_SHARE) / PPM;
  const sale = price(opened, house, list, fraction, cost, acceptClaims);
  const moved = moveLegs(list, sale);
  const sold = hand(opened, house, sale.collaterals, moved, -1n, sale.payment);
  return {
    assessment,
    discount: d,
    needed,
    fraction,
    cost,
    toFund,
    toFlagger,
    gain: cost - toFund - toFlagger,
    payment: sale.payment,
    paid: sale.payment + toFund + toFlagger,
    rescue: whole ? rescue(list, assessment, auction, cost) : 0n,
    deficit: positive(-equity),
    collaterals: sale.collaterals.map(({ id, amount }) => ({ id, amount })),
    legs: moved,
    after: sale.owed.some((owed) => owed !== 0n) ? payLosses(sold, house) : sold,
  };
}

/**
 * The taker's account after a planned liquidation, the rescue reward left aside.
 * @throws UnknownMarket, MissingPrice
 */
export function takeOver(taker: AccountState, plan: LiquidationPlan, house: HouseState): AccountState {
  return hand(taker, house, plan.collaterals, plan.legs, 1n, -plan.paid);
}

/** Whether a slice is dust or leaves dust. */
function isDust(account: AccountState, house: HouseState, list: readonly Leg[], fraction: bigint): boolean {
  let gross = 0n;
  for (const [id, balance] of account.collaterals) gross += valueOf(balance, collateralPrice(house, id));
  for (const { market, size } of list) {
    if (size !== 0n) gross += (abs(size) * priceOf(house, marketOf(house, market).underlying).price) / WAD;
  }
  return gross * min(fraction, WAD - fraction) < DUST * WAD;
}

function collateralPrice(house: HouseState, collateral: number): bigint {
  return priceOf(house, collateralOf(house, collateral).underlying).price;
}

/** The account after its deficit has gone through the waterfall. */
function absorb(account: AccountState, house: HouseState, deficit: bigint): AccountState {
  if (deficit === 0n) return account;
  const list = legs(account, house);
  const parts = split(list, deficit);
  const positions = new Map(account.positions);
  list.forEach(({ market }, i) => {
    const position = positions.get(market);
    if (position !== undefined) positions.set(market, { ...position, quote: position.quote + (parts[i] ?? 0n) });
  });
  return { ...account, positions };
}

/**
 * payment = value − owed − cost. Where it runs towards the taker the account pays from cash, then by keeping that much of its
 * loss, then, if the taker accepts, with claims on pools.
 */
function price(
  account: AccountState,
  house: HouseState,
  list: readonly Leg[],
  fraction: bigint,
  cost: bigint,
  acceptClaims: boolean,
): Sale {
  const collaterals = takeCollateral(account, house, fraction);
  const owed = list.map((leg) => (positive(-leg.pnl) * fraction) / WAD);
  const totalOwed = owed.reduce((sum, part) => sum + part, 0n);
  const payment = collaterals.reduce((sum, c) => sum + c.value, 0n) - totalOwed - cost;
  const sale = { fraction, cost, collaterals, owed };
  if (payment >= 0n) return { ...sale, payment, kept: 0n, claims: 0n };
  const cash = min(-payment, account.cash);
  const kept = min(-payment - cash, totalOwed);
  const claims = -payment - cash - kept;
  if (claims > (acceptClaims ? totalProfit(list) : 0n)) throw new ClaimsNotAccepted(claims);
  return { ...sale, payment: -cash, kept, claims };
}

/** f of every collateral balance, rounded up to whole token units; what would be left as dust moves too. */
function takeCollateral(account: AccountState, house: HouseState, fraction: bigint): Sale["collaterals"] {
  if (fraction === 0n) return [];
  return [...account.collaterals]
    .filter(([, balance]) => balance !== 0n)
    .sort(([a], [b]) => a - b)
    .map(([id, balance]) => {
      const { decimals, minBalance } = collateralOf(house, id);
      const share = wholeUp(divUp(balance * fraction, WAD), decimals);
      const amount = balance < share + minBalance ? balance : share;
      const at = collateralPrice(house, id);
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
    const size = divUp(abs(leg.size) * sale.fraction, WAD);
    return { market: leg.market, size: leg.size < 0n ? -size : size, credit: owed - stays - claim };
  });
}

/** A taker who got less than the rescue's share of MM is owed the rest. */
function rescue(list: readonly Leg[], assessment: Assessment, auction: Auction, cost: bigint): bigint {
  if (list.every((leg) => leg.size === 0n)) return 0n;
  const base = min(assessment.maintenanceMargin, auction.maintenanceAtFlag);
  return positive((base * rescueShare(auction.rescueClock)) / WAD - cost);
}

/** An account after a slice reached (`sign` 1) or left (−1) it and `cash` was added to its cash. */
function hand(
  account: AccountState,
  house: HouseState,
  collaterals: LiquidationPlan["collaterals"],
  moved: readonly MovedLeg[],
  sign: 1n | -1n,
  cash: bigint,
): AccountState {
  const balances = new Map(account.collaterals);
  for (const { id, amount } of collaterals) balances.set(id, (balances.get(id) ?? 0n) + sign * amount);
  const positions = new Map(account.positions);
  for (const { market, size, credit } of moved) {
    if (size === 0n && credit === 0n) continue;
    const state = marketOf(house, market);
    const mark = size === 0n ? 0n : priceOf(house, state.underlying).price;
    const s = sides(state, house.time);
    positions.set(market, change(positions.get(market), sign * size, mark, s, -sign * credit));
  }
  return { cash: account.cash + cash, positions, collaterals: balances };
}
