import type { NetworkParameters } from "../../../deploy/config.ts";
import { assess } from "../../risk/assess.ts";
import type { CollateralValue, Portfolio, RiskParameters } from "../../risk/types.ts";
import { parseWad } from "../../sdk/units.ts";
import { ASSETS } from "../path.ts";
import type { Asset } from "../path.ts";
import { generator } from "../synthetic.ts";
import { riskOf } from "./parameters.ts";
import type { Distributions, Reaction, Scenario, Trader } from "./scenario.ts";

const PPM = 1_000_000n;
const WAD = 10n ** 18n;
const ROOM = 1.03; // of IM that an account has when it begins, so that fees and rounding do not keep it from opening
const STEP = 1.05; // by which its margin grows until it has
const CASH_BESIDE = 0.1; // of a margin that is posted in coins
const HEDGED_DEBT = 0.5; // of the worth of hedged coins
export const TOKENS = ["WETH", "WBTC", "wstETH"] as const;
export type Token = (typeof TOKENS)[number];

/** What each token follows. */
export const ASSET_OF: Readonly<Record<Token, Asset>> = { WETH: "ETH", WBTC: "BTC", wstETH: "ETH" };

/** Of a house: what IM is made of, and which ids names have. */
export interface Terms {
  readonly risk: RiskParameters;
  /** ids of underlyings and collateral assets */
  readonly ids: Readonly<Record<Asset | Token, number>>;
}

/** What a house with these parameters makes of accounts. */
export function termsOf(parameters: NetworkParameters): Terms {
  const underlying = (asset: Asset) => parameters.underlyings.find(({ name }) => name === asset)?.id ?? -1;
  const collateral = (token: Token) => parameters.collaterals.find(({ symbol }) => symbol === token)?.id ?? -1;
  return {
    risk: riskOf(parameters),
    ids: {
      ...{ ETH: underlying("ETH"), BTC: underlying("BTC") },
      ...{ WETH: collateral("WETH"), WBTC: collateral("WBTC"), wstETH: collateral("wstETH") },
    },
  };
}

/** Every account of a scenario: as it is listed there, or drawn by its seed. The same scenario gives the same accounts. */
export function drawPopulation({ population, accounts, seed }: Scenario, terms: Terms): Trader[] {
  if (Array.isArray(population)) return population;
  const random = generator(seed);
  const drawn = Array.from({ length: accounts }, () => draw(population, random, terms));
  return withLenders(drawn, population.utilisation);
}

function draw(d: Distributions, random: () => number, terms: Terms): Trader {
  const kind = random();
  const asset: Asset = random() < d.eth ? "ETH" : "BTC";
  const size = pareto(d.size, random());
  const reaction = drawReaction(d, random);
  const empty: Trader = {
    ...{ cash: 0, lent: 0, borrowed: 0, reaction },
    ...{ collateral: { WETH: 0, WBTC: 0, wstETH: 0 }, position: { ETH: 0, BTC: 0 } },
  };
  if (kind < d.lenders) return { ...empty, lent: size };
  if (kind < d.lenders + d.borrowers) return borrower(empty, asset, size, between(d.loanToValue, random()), terms);
  if (kind < d.lenders + d.borrowers + d.hedged) return hedger(empty, asset, size, terms);
  const leverage = d.leverage.min + (d.leverage.max - d.leverage.min) * random() ** d.leverage.shape;
  const signed = random() < d.long ? size : -size;
  const position = { ...empty.position, [asset]: signed };
  return funded({ ...empty, position }, size / leverage, pick(d.margin, random()), terms);
}

function drawReaction({ reaction: r }: Distributions, random: () => number): Reaction {
  const [acts, tops, delay] = [random() < r.share, random() < r.topUp, Math.round(between(r.delay, random()))];
  return { how: acts ? (tops ? "top up" : "reduce") : "nothing", delay };
}

/** Debt against a coin. */
function borrower(empty: Trader, asset: Asset, size: number, loanToValue: number, terms: Terms): Trader {
  return grow(
    (worth) => {
      const collateral = { ...empty.collateral, [coinOf(asset)]: cents(worth) };
      return { ...empty, collateral, borrowed: cents(size * loanToValue) };
    },
    size,
    terms,
  );
}

/** A coin against a short position of its worth. */
function hedger(empty: Trader, asset: Asset, size: number, terms: Terms): Trader {
  const position = { ...empty.position, [asset]: -size };
  const collateral = { ...empty.collateral, [coinOf(asset)]: size };
  return grow(
    (debt) => {
      return { ...empty, position, collateral, borrowed: cents((size * size * HEDGED_DEBT) / debt) };
    },
    size,
    terms,
  );
}

/** A position with a margin in cash or in coins. */
function funded(bare: Trader, margin: number, kind: "cash" | Token, terms: Terms): Trader {
  return grow(
    (worth) => {
      if (kind === "cash") return { ...bare, cash: cents(worth) };
      const collateral = { ...bare.collateral, [kind]: cents(worth * (1 - CASH_BESIDE)) };
      return { ...bare, cash: cents(worth * CASH_BESIDE), collateral };
    },
    margin,
    terms,
  );
}

/** The first of ever larger versions of an account that has enough margin. */
function grow(version: (worth: number) => Trader, first: number, terms: Terms): Trader {
  for (let worth = first; ; worth *= STEP) {
    const account = version(worth);
    const { equity, initialMargin } = assess(portfolioOf(account, terms), terms.risk);
    if (Number(equity) >= Number(initialMargin) * ROOM) return account;
  }
}

/** An account in units of which each is worth a USD: equity and margins are those at any price. */
function portfolioOf({ cash, lent, borrowed, collateral, position }: Trader, { risk, ids }: Terms): Portfolio {
  const underlyings = ASSETS.map((asset) => {
    const held = TOKENS.filter((token) => ASSET_OF[token] === asset && collateral[token] !== 0);
    const collaterals = held.map((token): CollateralValue => {
      return { id: ids[token], ramp: 0n, value: wad(collateral[token]) };
    });
    const net = wad(position[asset]);
    const factors = { price: WAD, initialFactor: PPM, maintenanceFactor: PPM };
    return { id: ids[asset], ...factors, net, gross: net < 0n ? -net : net, collaterals };
  });
  const known = underlyings.filter(({ id }) => risk.underlyings.has(id));
  return { base: wad(cash + lent - borrowed), underlyings: known };
}

/** Lenders who together lend so much that what others borrow makes the utilisation. */
function withLenders(accounts: Trader[], utilisation: number): Trader[] {
  const sum = (of: (account: Trader) => number) => accounts.reduce((total, account) => total + of(account), 0);
  const [lent, borrowed] = [sum((account) => account.lent), sum((account) => account.borrowed)];
  if (borrowed === 0 || utilisation === 0) return accounts;
  if (lent === 0) return accounts.map((account) => ({ ...account, borrowed: 0 }));
  return accounts.map((account) => ({ ...account, lent: cents((account.lent * borrowed) / (utilisation * lent)) }));
}

function pareto({ min, max, alpha }: Distributions["size"], u: number): number {
  return cents(Math.min(max, min * (1 - u) ** (-1 / alpha)));
}

function between({ min, max }: { readonly min: number; readonly max: number }, u: number): number {
  return min + (max - min) * u;
}

function pick<K extends string>(weights: Readonly<Record<K, number>>, u: number): K {
  const entries = Object.entries(weights) as [K, number][];
  let left = u * entries.reduce((sum, [, weight]) => sum + weight, 0);
  const found = entries.find(([, weight]) => (left -= weight) < 0) ?? entries[0];
  return (found ?? entries[entries.length - 1])?.[0] as K;
}

function coinOf(asset: Asset): Token {
  return asset === "ETH" ? "WETH" : "WBTC";
}

function cents(usd: number): number {
  return Math.round(usd * 100) / 100;
}

/** USD as [wad]. */
export function wad(usd: number): bigint {
  return parseWad(usd.toFixed(2));
}
