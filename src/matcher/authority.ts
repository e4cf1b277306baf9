import { abs, divFloor, divUp, max, min, PPM, WAD } from "../risk/fixed.ts";
import { tradingFee } from "../risk/whatIf.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { SCOPES } from "../sdk/sessionKeys.ts";
import { isSignedBelow } from "./bookOrder.ts";
import type { BookOrder, OwnerOrders } from "./bookOrder.ts";
import type { ChainView } from "./chain.ts";
import { notionalLeftOn } from "./keys.ts";
import type { SessionKey } from "./keys.ts";
import { Refusal } from "./refusals.ts";

// What session keys may do, by the rules of the exchange: a key needs a right in its own grant and in those of all keys above it.

const DAY = 86_400; // [s]
const CENT = 10n ** 16n; // [wad] in which notional is counted
const LOSS_UNIT = 10n ** 14n; // [wad] in which losses are counted
const LAST_SERIAL = 31n; // bit of all serial numbers from here on

/** What somebody wants to do with a key. */
export interface KeyAction {
  /** Of which the key needs one. */
  readonly scopes: bigint;
  readonly account: AccountId;
  /** Any if left out. */
  readonly market?: number;
}

/** What of an order may still fill [wad], positive buys, and its limit [wad]. */
export interface KeyTrade {
  readonly market: number;
  readonly size: bigint;
  readonly price: bigint;
  readonly resting: boolean;
}

/** The scopes of which an order's key needs one. */
export function orderScopes({ reduceOnly }: { readonly reduceOnly: boolean }): bigint {
  return reduceOnly ? SCOPES.trade | SCOPES.reduce : SCOPES.trade;
}

/** Why a key, given with those above it, may not do something at a second [s]; `undefined` if it may. */
export function rightsRefusal(
  line: readonly SessionKey[],
  { scopes, account, market }: KeyAction,
  now: number,
): Refusal | undefined {
  const bit = min(BigInt.asUintN(80, account), LAST_SERIAL); // of the serial number
  for (const { address: key, grant, revoked } of line) {
    const { expiry } = grant;
    if (revoked) return new Refusal("KeyIsRevoked", "the key, or one above it, is revoked", { key });
    if (BigInt(now) > expiry) return new Refusal("KeyExpired", "the key has expired", { key, expiry, now });
    if ((grant.scopes & scopes) === 0n) {
      const numbers = { key, scopes: grant.scopes, required: scopes };
      return new Refusal("KeyLacksScope", "the key was not granted this", numbers);
    }
    if (((grant.accounts >> bit) & 1n) === 0n) {
      return new Refusal("KeyLacksAccount", "the key was not granted this account", { key, account });
    }
    if (market !== undefined && ((grant.markets >> BigInt(market)) & 1n) === 0n) {
      return new Refusal("KeyLacksMarket", "the key was not granted this market", { key, market });
    }
  }
  return undefined;
}

/**
 * Why a key's limits would make the chain refuse a trade, as far as can be told before it fills; `undefined` if they would not. Fills
 * that wait for their settlement count, other open orders do not: none of them may ever fill.
 * @param owner what the book knows of the key's owner
 * @param now [s]
 */
export function limitsRefusal(
  line: readonly SessionKey[],
  trade: KeyTrade,
  { chain, owner, now }: { readonly chain: ChainView; readonly owner: OwnerOrders | undefined; readonly now: number },
): Refusal | undefined {
  const { size, price } = trade;
  const index = chain.terms.get(trade.market)?.index ?? 0n;
  // A taking order may have a limit far beyond what it will pay.
  const likely = index === 0n ? price : size > 0n ? min(price, index) : max(price, index);
  const own = divUp(abs(size) * likely, WAD * CENT);
  for (const known of line) {
    const { address: key, lossLeft } = known;
    const { priceBand: band } = known.grant;
    if (trade.resting && index !== 0n && abs(price - index) * PPM > index * band) {
      return new Refusal("KeyPriceBand", "the key may not trade so far from the index", { key, price, index, band });
    }
    const waiting = waitingUse(owner, key, chain);
    const notional = waiting.notional + own;
    const left = notionalLeftOn(Math.floor(now / DAY), known);
    if (left !== undefined && notional > left) {
      return new Refusal("KeyNotionalLimit", "the key may not trade so much in a day", { key, notional, left });
    }
    const { loss } = waiting;
    if (lossLeft !== undefined && loss > lossLeft) {
      return new Refusal("KeyLossLimit", "the key may not lose so much", { key, loss, left: lossLeft });
    }
  }
  return undefined;
}

/**
 * What fills that wait for their settlement will take of what is left to a key: its own, and those of keys below it. The exchange rounds
 * once for all that an order fills in one settlement.
 */
function waitingUse(
  owner: OwnerOrders | undefined,
  key: string,
  chain: ChainView,
): { readonly notional: bigint; readonly loss: bigint } {
  const uses = new Map<BookOrder, { value: bigint; lost: bigint }>(); // [wad²]
  for (const account of owner?.accounts ?? []) {
    for (const { maker, taker, market, size, price } of account.fills) {
      const order = maker.account === account ? maker : taker;
      if (!isSignedBelow(order, key)) continue;
      const index = chain.terms.get(market)?.index ?? price;
      const fee = tradingFee(size, price, chain.feeOf(market));
      const { value, lost } = uses.get(order) ?? { value: 0n, lost: 0n };
      const more = (price - index) * (order.buys ? size : -size) + fee * WAD;
      uses.set(order, { value: value + size * price, lost: lost + more });
    }
  }
  let [notional, loss] = [0n, 0n];
  for (const { value, lost } of uses.values()) {
    notional += divUp(value, WAD * CENT);
    loss -= divFloor(-lost, WAD * LOSS_UNIT);
  }
  return { notional, loss };
}
