import { rmSync } from "node:fs";
import path from "node:path";

import { HDNodeWallet, MaxUint256, Mnemonic } from "ethers";
import type { Provider } from "ethers";
import hre, { network } from "hardhat";

import { resolveNetwork } from "../../deploy/config.ts";
import local from "../../deploy/networks/local.ts";
import { deployPlimsoll } from "../../deploy/plimsoll.ts";
import {
  IClearingHouse__factory,
  Exchange__factory,
  InsuranceFund__factory,
  MockERC20__factory,
  MockV3Aggregator__factory,
  PriceOracle__factory,
} from "../../types/index.ts";
import { accountId, isolatedAccountId } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { buildOrder, signOrder } from "../sdk/orders.ts";
import type { SignedOrder } from "../sdk/orders.ts";
import { formatAmount, parseWad } from "../sdk/units.ts";
import { DEPLOYER, TOKENS } from "./cast.ts";
import type { Role, Token } from "./cast.ts";
import { MNEMONIC } from "./chain.ts";
import type { Chain } from "./chain.ts";
import type { Asset } from "./path.ts";

const WAD = 10n ** 18n;
const FEED_DECIMALS = 8;
const ANSWER_TO_WAD = 10n ** 10n;
const FUND_CASH = 400_000;
const ORDER_LIFETIME = 3600n; // [s]
const DEALS_PER_SETTLEMENT = 12;

/** Smallest step of a size [wad]: every part of an order is a whole number of the market's smallest fills. */
const LOTS: Readonly<Record<Asset, bigint>> = { ETH: parseWad("0.01"), BTC: parseWad("0.001") };

/** The address of the treasury is one of its own, so that its income is seen apart. */
const TREASURY_KEY = 99;

/** What a token is a form of. */
const ASSET_OF: Readonly<Record<Token, Asset>> = { WETH: "ETH", WBTC: "BTC", wstETH: "ETH" };

/** An account that takes part, with the key that signs for it. */
export interface Party extends Role {
  id: AccountId;
  wallet: HDNodeWallet;
}

/** One fill to be: `taker` buys `size` [wad] (negative: sells) at the maker's `price` [wad]. */
export interface Deal {
  asset: Asset;
  maker: Party;
  taker: Party;
  size: bigint;
  price: bigint;
}

/** A deployed house that can be asked. */
export interface ReadableVenue {
  readonly chain: { readonly provider: Provider & { send(method: string, params: unknown[]): Promise<unknown> } };
  readonly book: AddressBook;
}

/** A feed of a rate between a token and its asset, and what it answers all the time. */
export interface RateFeed {
  readonly feed: string;
  readonly answer: bigint;
}

/** The deployed house on a chain of its own. */
export interface Venue {
  chain: Chain;
  book: AddressBook;
  nonce: bigint;
  rateFeeds: readonly RateFeed[];
  /** Units of its asset [wad] that a unit of a token is worth. */
  rates: Readonly<Record<Token, bigint>>;
}

/** Prices of both assets in a feed's 8 decimals. */
export type Answers = Readonly<Record<Asset, bigint>>;

/** The key number `index` of the chain. */
export function keyOf(index: number): HDNodeWallet {
  return HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(MNEMONIC), `m/44'/60'/0'/0/${index}`);
}

/** Gives roles their keys and account ids. */
export function enlist(roles: readonly Role[], book: AddressBook): Party[] {
  return roles.map((role) => {
    const wallet = keyOf(role.key);
    const owner = wallet.address;
    const id = role.isolated === undefined ? accountId(owner) : isolatedAccountId(owner, marketOf(book, role.isolated));
    return { ...role, wallet, id };
  });
}

/** Deploys the house with `answers` as the first prices of its feeds. Nothing of it stays on disk. */
export async function deployVenue(chain: Chain, answers: Answers): Promise<Venue> {
  const connection = await network.create({ network: "localhost", override: { url: chain.url } });
  const deploymentId = `replay-${process.pid}-${Date.now()}`;
  const journal = path.join(hre.config.paths.ignition, "deployments", deploymentId);
  const addressBook = path.join(journal, "addresses.json");
  try {
    const deployment = await deployPlimsoll(connection, parameters(answers), { deploymentId, addressBook });
    const readable = { chain, book: deployment.addressBook };
    const [rateFeeds, rates] = await Promise.all([readRateFeeds(readable), readRates(readable)]);
    return { ...readable, nonce: 1n, rateFeeds, rates };
  } finally {
    await connection.close();
    rmSync(journal, { recursive: true, force: true });
  }
}

/** The feeds of the rate between wstETH and its asset. */
export async function readRateFeeds({ chain, book }: ReadableVenue): Promise<RateFeed[]> {
  const id = collateralOf(book, "wstETH")?.id;
  if (id === undefined) return [];
  const oracle = PriceOracle__factory.connect(book.contracts.priceOracle, chain.provider);
  const { rate, market } = await oracle.rateFeedsOf(id);
  const read = async (feed: string) => {
    const answer = await MockV3Aggregator__factory.connect(feed, chain.provider).latestAnswer();
    return { feed, answer };
  };
  return Promise.all([rate, market].map(read));
}

async function readRates({ chain, book }: ReadableVenue): Promise<Venue["rates"]> {
  const oracle = PriceOracle__factory.connect(book.contracts.priceOracle, chain.provider);
  return { WETH: WAD, WBTC: WAD, wstETH: await oracle.latestRate(collateralOf(book, "wstETH")?.id ?? 0) };
}

/** The local network with `answers` as its first prices, without what the replay has no prices of. */
function parameters(answers: Answers) {
  const priced = (name: string): boolean => Object.hasOwn(answers, name);
  return resolveNetwork({
    ...local,
    treasury: keyOf(TREASURY_KEY).address,
    collaterals: local.collaterals.filter((c) => priced(c.underlying)),
    underlyings: local.underlyings
      .filter((u) => priced(u.name))
      .map((u) => ({
        ...u,
        feed: { ...u.feed, aggregator: { mockPrice: formatAmount(answers[u.name as Asset], FEED_DECIMALS) } },
      })),
  });
}

/** Seeds the insurance fund. */
export async function seedFund({ chain, book }: Venue): Promise<void> {
  const deployer = keyOf(DEPLOYER).address;
  const fund = book.contracts.insuranceFund;
  const amount = units(FUND_CASH, book.cash.decimals);
  const token = MockERC20__factory.createInterface();
  await chain.send("minting", deployer, book.cash.token, token.encodeFunctionData("mint", [deployer, amount]));
  await chain.send("approving", deployer, book.cash.token, token.encodeFunctionData("approve", [fund, amount]));
  const deposit = InsuranceFund__factory.createInterface().encodeFunctionData("deposit", [amount, deployer]);
  await chain.send("seeding the fund", deployer, fund, deposit);
}

/** Mints and deposits what an account begins with. */
export async function open(venue: Venue, party: Party, answers: Answers): Promise<void> {
  const { book } = venue;
  if (party.cash !== 0) await give(venue, party, book.cash, units(party.cash, book.cash.decimals));
  for (const token of TOKENS) {
    const collateral = collateralOf(book, token);
    if (collateral === undefined || party.collateral[token] === 0) continue;
    const amount = (baseSize(party.collateral[token], ASSET_OF[token], answers) * WAD) / venue.rates[token];
    await give(venue, party, collateral, amount / 10n ** BigInt(18 - collateral.decimals));
  }
}

/** Lends what a party begins to lend. */
export async function lend({ chain, book }: Venue, { id, name, wallet, lent }: Party): Promise<void> {
  const data = IClearingHouse__factory.createInterface().encodeFunctionData("lend", [
    id,
    units(lent, book.cash.decimals),
  ]);
  await chain.send(`the loan of ${name}`, wallet.address, book.contracts.clearingHouse, data);
}

/** Withdraws what a party begins to owe. */
export async function borrow({ chain, book }: Venue, { id, name, wallet, borrowed }: Party): Promise<void> {
  const { token, decimals } = book.cash;
  const data = IClearingHouse__factory.createInterface().encodeFunctionData("withdraw", [
    ...([id, token, units(borrowed, decimals), wallet.address] as const),
  ]);
  await chain.send(`the debt of ${name}`, wallet.address, book.contracts.clearingHouse, data);
}

function collateralOf(book: AddressBook, token: Token): AddressBook["collaterals"][number] | undefined {
  return book.collaterals.find((c) => c.symbol === token);
}

async function give(
  { chain, book }: Venue,
  { id, name, wallet }: Party,
  { token, symbol }: AddressBook["cash"],
  amount: bigint,
): Promise<void> {
  const { vault, clearingHouse } = book.contracts;
  const erc20 = MockERC20__factory.createInterface();
  const owner = wallet.address;
  await chain.send(`minting ${symbol}`, owner, token, erc20.encodeFunctionData("mint", [owner, amount]));
  await chain.send(`approving ${symbol}`, owner, token, erc20.encodeFunctionData("approve", [vault, MaxUint256]));
  const deposit = IClearingHouse__factory.createInterface().encodeFunctionData("deposit", [id, token, amount]);
  await chain.send(`the deposit of ${name}`, owner, clearingHouse, deposit);
}

/** Signs the orders of both parties of each deal and settles them on the exchange. */
export async function settle(venue: Venue, deals: readonly Deal[], time: number): Promise<void> {
  const { chain, book } = venue;
  const exchange = Exchange__factory.createInterface();
  const sender = keyOf(DEPLOYER).address;
  for (let i = 0; i < deals.length; i += DEALS_PER_SETTLEMENT) {
    const part = deals.slice(i, i + DEALS_PER_SETTLEMENT);
    const orders: SignedOrder[] = [];
    for (const deal of part) orders.push(...(await sign(venue, deal, time)));
    const matches = part.map((_, k) => ({ maker: 2 * k, taker: 2 * k + 1 }));
    const data = exchange.encodeFunctionData("settle", [orders, matches]);
    await chain.send("settling orders", sender, book.contracts.exchange, data);
  }
}

async function sign(venue: Venue, deal: Deal, time: number): Promise<SignedOrder[]> {
  const market = BigInt(marketOf(venue.book, deal.asset));
  const terms = { market, limitPrice: deal.price, expiry: BigInt(time) + ORDER_LIFETIME };
  const resting = buildOrder({
    ...terms,
    account: deal.maker.id,
    size: -deal.size,
    nonce: venue.nonce++,
    resting: true,
  });
  const taking = buildOrder({ ...terms, account: deal.taker.id, size: deal.size, nonce: venue.nonce++ });
  return [
    { order: resting, signature: await signOrder(deal.maker.wallet, venue.book, resting) },
    { order: taking, signature: await signOrder(deal.taker.wallet, venue.book, taking) },
  ];
}

/** Gives both feeds new answers, both at `time` [s]. */
export async function updateFeeds({ chain, book }: Venue, answers: Answers, time: number): Promise<void> {
  const sender = keyOf(DEPLOYER).address;
  const feed = MockV3Aggregator__factory.createInterface();
  await chain.setTime(time);
  for (const { name, feed: address } of book.underlyings) {
    const data = feed.encodeFunctionData("updateAnswer", [answers[name as Asset]]);
    await chain.send(`the ${name} feed`, sender, address, data);
  }
}

/** Gives the rates between tokens and their assets a new round, so that none is stale. */
export async function refreshRates({ chain, rateFeeds }: Venue): Promise<void> {
  const sender = keyOf(DEPLOYER).address;
  const abi = MockV3Aggregator__factory.createInterface();
  for (const { feed, answer } of rateFeeds) {
    await chain.send("a rate feed", sender, feed, abi.encodeFunctionData("updateAnswer", [answer]));
  }
}

/** USD worth of an asset in whole lots [wad]; negative for a short. */
export function baseSize(usd: number, asset: Asset, answers: Answers): bigint {
  const wad = (units(Math.abs(usd), 18) * WAD) / (answers[asset] * ANSWER_TO_WAD);
  return wholeLots(usd < 0 ? -wad : wad, asset);
}

/** A size [wad] in whole lots, the rest dropped. */
export function wholeLots(size: bigint, asset: Asset): bigint {
  return size - (size % LOTS[asset]);
}

/** An answer of a feed as a price [wad]. */
export function priceOf(answer: bigint): bigint {
  return answer * ANSWER_TO_WAD;
}

/** The market of an asset. */
export function marketOf(book: AddressBook, asset: Asset): number {
  return book.markets.findIndex((m) => book.underlyings[m.underlying]?.name === asset);
}

/** Whole USD cents as units of a token with `decimals`. */
function units(usd: number, decimals: number): bigint {
  return (BigInt(Math.round(usd * 100)) * 10n ** BigInt(decimals)) / 100n;
}
