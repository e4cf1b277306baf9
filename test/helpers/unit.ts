import { expect } from "chai";
import { MaxInt256 } from "ethers";
import type { AddressLike, BaseContract, BigNumberish } from "ethers";

import { accountId, isolatedAccountId } from "../../src/sdk/accountId.ts";
import type { Order } from "../../src/sdk/orders.ts";
import { parsePrice, parseWad } from "../../src/sdk/units.ts";
import { BTC, ETH, USDT, WBTC, WETH, WSTETH } from "./fixture.ts";
import type { Fixture } from "./fixture.ts";

export type Signer = Fixture["alice"];

/** An expiry that no test reaches. */
export const NEVER = 1n << 40n;

/** Terms of a liquidator who takes whatever is needed. */
export const ANY_TERMS = { maxFraction: 10n ** 18n, maxPayment: MaxInt256, minGain: 0n, acceptClaims: false };

/** The main account of somebody. */
export const main = (owner: Signer): bigint => accountId(owner.address);

/** Units of USDC in a human amount. */
export const usdc = (text: string): bigint => parseWad(text) / 10n ** 12n;

/** Everything that the ledger, the tokens and the fund hold of the actors, as one text. */
export async function digest(h: Fixture): Promise<string> {
  const actors = [h.deployer, h.alice, h.bob, h.carol, h.dave, h.keeper];
  const ids = actors.flatMap((a) => [main(a), accountId(a.address, 1), isolatedAccountId(a.address, ETH)]);
  ids.push(await h.insuranceFund.account());
  const ch = h.clearingHouse;
  const accounts = ids.map(async (id) => [
    await ch.account(id),
    await ch.auction(id),
    await ch.exitRequest(id),
    (await ch.loans(id)).shares,
    await Promise.all([ETH, BTC].map((m) => ch.position(id, m))),
    await Promise.all([WETH, WBTC, WSTETH, USDT].map((c) => ch.collateralBalance(id, c))),
  ]);
  const holders = [...actors, h.vault, h.insuranceFund];
  const tokens = [h.usdc, h.weth, h.wbtc, h.wsteth, h.usdt, h.insuranceFund].map((t) =>
    Promise.all(holders.map((who) => t.balanceOf(who))),
  );
  const rest = [
    ch.market(ETH),
    ch.market(BTC),
    ch.totalFlaggedDeficit(),
    ...actors.flatMap((a) => [h.exchange.ownerState(a), ch.guardOf(a), ch.payeeSince(a, a)]),
  ];
  const all: unknown = await Promise.all([...accounts, ...tokens, ...rest]);
  return JSON.stringify(all, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
}

/** Asserts that `call` is refused with a typed error of `contract` (the clearinghouse unless said otherwise) and changes nothing. */
export async function refused(
  h: Fixture,
  call: () => Promise<unknown>,
  error: string,
  args?: unknown[],
  contract: BaseContract = h.clearingHouse,
): Promise<void> {
  const before = await digest(h);
  const assertion = expect(call()).to.be.revertedWithCustomError(contract, error);
  await (args === undefined ? assertion : assertion.withArgs(...args));
  expect(await digest(h), `${error} changed something`).to.equal(before);
}

/** Asserts that `call` is refused for arithmetic overflow and changes nothing. */
export async function overflows(h: Fixture, call: () => Promise<unknown>): Promise<void> {
  const before = await digest(h);
  await expect(call()).to.be.revertedWithPanic(0x11);
  expect(await digest(h)).to.equal(before);
}

export const cashOf = async (h: Fixture, id: bigint): Promise<bigint> => (await h.clearingHouse.account(id)).cash;
export const equityOf = async (h: Fixture, id: bigint): Promise<bigint> => (await h.clearingHouse.assess(id)).equity;

/** Size and quote of an account in a market. */
export async function positionOf(
  h: Fixture,
  id: bigint,
  market: BigNumberish,
): Promise<{ size: bigint; quote: bigint }> {
  const { size, quote } = await h.clearingHouse.position(id, market);
  return { size, quote };
}

/** The words of a market by name. */
export async function marketOf(h: Fixture, market: BigNumberish) {
  const [params, index, rate, pool, loss] = await h.clearingHouse.market(market);
  return { params, index, rate, pool, loss };
}

interface Terms extends Omit<Partial<Order>, "size"> {
  owner: Signer;
  size: string;
  price: string;
}

/** A signed order that never expires; human size and price. */
export function sign(h: Fixture, { owner, size, price, ...fields }: Terms, market: number = ETH) {
  const terms = { market: BigInt(market), size: parseWad(size), limitPrice: parsePrice(price) };
  return h.order(owner, { ...terms, expiry: NEVER, ...fields });
}

/** Settles a resting order of `maker` with a taking one: `taker` buys `size` (negative: sells) at `price`. */
export async function deal(
  h: Fixture,
  [maker, taker]: [Signer, Signer],
  size: string,
  price: string,
  options: { market?: number; maker?: Omit<Partial<Order>, "size">; taker?: Omit<Partial<Order>, "size"> } = {},
) {
  const opposite = size.startsWith("-") ? size.slice(1) : `-${size}`;
  const orders = [
    await sign(h, { owner: maker, size: opposite, price, resting: true, ...options.maker }, options.market),
    await sign(h, { owner: taker, size, price, ...options.taker }, options.market),
  ];
  return h.exchange.settle(orders, [{ maker: 0, taker: 1 }]);
}

/** One call of a batch. */
export const call = (target: AddressLike, data: string) => ({ target, data });

/** The risk parameters of WETH. */
export const WETH_RISK = {
  haircut: 70_000,
  haircutInitial: 100_000,
  tracking: 0,
  trackingInitial: 0,
  underlying: ETH,
  depegThreshold: 0,
  depegFactor: 0,
};

/** The risk parameters of an underlying, to change one and set them again, or for another one. */
export async function underlyingParams(h: Fixture, id: BigNumberish) {
  const r = await h.riskEngine.underlyingRisk(id);
  const { shock, slope, basis, basisInitial, maxTracking, maxTrackingInitial, initialFactor, depth } = r;
  return { shock, slope, basis, basisInitial, maxTracking, maxTrackingInitial, initialFactor, depth };
}

/** The parameters of a collateral asset, to change one and set them again. */
export async function collateralParams(h: Fixture, id: BigNumberish) {
  const c = await h.clearingHouse.collateral(id);
  const { token, decimals, underlying, hasRate, delistingEnd, cap, accountCap, minBalance } = c;
  return { token, decimals, underlying, hasRate, delistingEnd, cap, accountCap, minBalance };
}

/** Lists one more collateral asset on the ETH index with the parameters of WETH and no dust threshold. */
export async function listCollateral(h: Fixture, id: number, token: AddressLike): Promise<void> {
  await h.riskEngine.setCollateralRisk(id, WETH_RISK);
  await h.clearingHouse.setCollateral(id, { ...(await collateralParams(h, WETH)), token, minBalance: 0n });
}

/** Lent cash and debt of an account [wad], and its shares in them. */
export async function loansOf(h: Fixture, id: bigint) {
  const [lent, debt, { lentShares, debtShares }] = await h.clearingHouse.loans(id);
  return { lent, debt, lentShares, debtShares };
}

/** The lending pool as it stands, with interest. */
export async function lendingPool(h: Fixture) {
  const [{ lent, borrowed, lentShares, debtShares, reserves, rate }] = await h.clearingHouse.lending();
  return { lent, borrowed, lentShares, debtShares, reserves, rate };
}

/** The parameters of a market, to change one and set them again. */
export async function marketParams(h: Fixture, market: BigNumberish) {
  const [p] = await h.clearingHouse.market(market);
  const { takerFee, makerFee, priceBand, socialisationCap, minFill, softCap, hardCap, underlying } = p;
  return { takerFee, makerFee, priceBand, socialisationCap, minFill, softCap, hardCap, underlying };
}

/** Runs `call` in a block exactly `seconds` after the last one. */
export async function after<T>(h: Fixture, seconds: number, call: () => Promise<T>): Promise<T> {
  await h.networkHelpers.time.setNextBlockTimestamp((await h.networkHelpers.time.latest()) + seconds);
  return call();
}
