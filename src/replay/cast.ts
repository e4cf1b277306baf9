import type { Asset } from "./path.ts";

/** The kinds of accounts, in the order in which reports name them. */
export const KINDS = [
  "long",
  "short",
  "cross",
  "isolated",
  "hedged",
  "wrong-way",
  "several collaterals",
  "borrower",
  "staker",
  "lender",
  "market maker",
  "keeper",
] as const;
export type Kind = (typeof KINDS)[number];

/** Tokens that the cast deposits besides cash. */
export const TOKENS = ["WETH", "WBTC", "wstETH"] as const;
export type Token = (typeof TOKENS)[number];

/** An account before it exists: what it deposits and what it does, in USD at the first prices; positive positions are long. */
export interface Role {
  name: string;
  kind: Kind;
  /** Which key owns it; an isolated account shares its owner with a main account. */
  key: number;
  isolated?: Asset;
  cash: number;
  /** What of the cash is lent to borrowers. */
  lent: number;
  /** What is withdrawn beyond cash: debt from the first minute on. */
  borrowed: number;
  collateral: Readonly<Record<Token, number>>;
  position: Readonly<Record<Asset, number>>;
}

type Draft = Omit<Role, "name" | "key"> & { label: string };

const FLAT = { ETH: 0, BTC: 0 } as const;
const NOTHING = { WETH: 0, WBTC: 0, wstETH: 0 } as const;
const BLANK = { cash: 0, lent: 0, borrowed: 0, collateral: NOTHING, position: FLAT } as const;
const SPOT: Readonly<Record<Asset, Token>> = { ETH: "WETH", BTC: "WBTC" };
const SIZES = [60_000, 140_000, 90_000, 220_000, 45_000, 320_000, 110_000, 180_000] as const; // [USD]

/** Keys 0, 1 and 2 to 4 are the deployer's, the keeper's and the market makers'. */
export const DEPLOYER = 0;
export const KEEPER = 1;
const FIRST_MAKER = 2;
const MAKERS = 3;

const MAKER_CASH = 6_000_000;
const KEEPER_CASH = 8_000_000;

/** Everyone who takes part: traders of all kinds at 2 × to 19 ×, market makers and the keeper. */
export function cast(): Role[] {
  const firstTrader = FIRST_MAKER + MAKERS;
  const drafts = traders();
  const isolated = drafts.filter((d) => d.isolated !== undefined);
  const main = drafts.filter((d) => d.isolated === undefined);
  const roles: Role[] = [
    ...main.map((draft, i) => named(draft, i + 1, firstTrader + i)),
    ...isolated.map((draft, i) => named(draft, main.length + i + 1, firstTrader + main.length - 1 - i)),
  ];
  for (let i = 0; i < MAKERS; i++) {
    roles.push(named(house("market maker", `maker ${i + 1}`, MAKER_CASH), roles.length + 1, FIRST_MAKER + i));
  }
  roles.push(named(house("keeper", "keeper", KEEPER_CASH), roles.length + 1, KEEPER));
  return roles;
}

function named({ label, ...draft }: Draft, number: number, key: number): Role {
  return { ...draft, name: `${String(number).padStart(2, "0")} ${label}`, key };
}

function house(kind: Kind, label: string, cash: number): Draft {
  return { ...BLANK, kind, label, cash };
}

function traders(): Draft[] {
  let next = 0;
  const size = () => SIZES[next++ % SIZES.length] ?? SIZES[0];
  return [
    ...[2, 5, 8, 12, 15, 19].map((x) => directional("long", "ETH", size(), x)),
    ...[3, 7, 10, 14, 17, 19].map((x) => directional("long", "BTC", size(), x)),
    ...[3, 6, 12, 19].map((x) => directional("short", "ETH", size(), x)),
    ...[2, 5, 10, 19].map((x) => directional("short", "BTC", size(), x)),
    ...[4, 9, 15].map((x) => cross(size(), size(), x)),
    ...[5, 12].map((x) => cross(size(), -size(), x)),
    ...[6, 14, 18].map((x) => cross(-size(), -size(), x)),
    ...[1, 0.8, 1.2].map((ratio) => hedged("ETH", size(), ratio)),
    ...[1, 0.9, 1.5].map((ratio) => hedged("BTC", size(), ratio)),
    ...[2, 5, 9, 14].map((x) => wrongWay("ETH", size(), x)),
    ...[3, 10].map((x) => wrongWay("BTC", size(), x)),
    ...[3, 7, 11].map((x) => several(size(), size(), x)),
    several(-size(), size(), 8),
    ...[0.5, 0.65, 0.8].map((share) => borrower("ETH", size(), share)),
    ...[0.6, 0.75].map((share) => borrower("BTC", size(), share)),
    staker("hedged", size(), -1),
    staker("long on it", size(), 3),
    lender("lends all", 900_000, 900_000, 0),
    lender("lends, long BTC 4×", 300_000, 290_000, 1_200_000),
    isolated("ETH", size(), 10),
    isolated("BTC", size(), 18),
    isolated("ETH", -size(), 8),
    isolated("BTC", -size(), 15),
  ];
}

function directional(kind: "long" | "short", asset: Asset, notional: number, leverage: number): Draft {
  const position = { ...FLAT, [asset]: kind === "long" ? notional : -notional };
  return { ...BLANK, kind, label: `${asset} ${leverage}×`, cash: notional / leverage, position };
}

function cross(eth: number, btc: number, leverage: number): Draft {
  const cash = (Math.abs(eth) + Math.abs(btc)) / leverage;
  const side = (usd: number) => (usd > 0 ? "long" : "short");
  const label = `${side(eth)} ETH ${side(btc)} BTC ${leverage}×`;
  return { ...BLANK, kind: "cross", label, cash, position: { ETH: eth, BTC: btc } };
}

function isolated(asset: Asset, notional: number, leverage: number): Draft {
  const label = `${notional > 0 ? "long" : "short"} ${asset} ${leverage}×`;
  const position = { ...FLAT, [asset]: notional };
  return { ...BLANK, kind: "isolated", label, isolated: asset, cash: Math.abs(notional) / leverage, position };
}

/** Spot against a short perpetual of `ratio` times its value; the margin for its basis is in cash. */
function hedged(asset: Asset, value: number, ratio: number): Draft {
  return {
    ...BLANK,
    kind: "hedged",
    label: `${asset} ${Math.round(ratio * 100)} %`,
    cash: value * 0.06,
    collateral: { ...NOTHING, [SPOT[asset]]: value },
    position: { ...FLAT, [asset]: -value * ratio },
  };
}

/** A long backed by nothing but its own underlying. */
function wrongWay(asset: Asset, notional: number, leverage: number): Draft {
  const collateral = { ...NOTHING, [SPOT[asset]]: notional / leverage };
  const position = { ...FLAT, [asset]: notional };
  return { ...BLANK, kind: "wrong-way", label: `${asset} ${leverage}×`, collateral, position };
}

/** Both markets on cash and both collaterals, a third each. */
function several(eth: number, btc: number, leverage: number): Draft {
  const third = (Math.abs(eth) + Math.abs(btc)) / leverage / 3;
  return {
    ...BLANK,
    kind: "several collaterals",
    label: `${eth > 0 ? "long" : "short"} ETH long BTC ${leverage}×`,
    cash: third,
    collateral: { ...NOTHING, WETH: third, WBTC: third },
    position: { ETH: eth, BTC: btc },
  };
}

/** Spot bought on debt of `share` of its value. */
function borrower(asset: Asset, value: number, share: number): Draft {
  const label = `${asset} on ${Math.round(share * 100)} % of debt`;
  return {
    ...BLANK,
    kind: "borrower",
    label,
    borrowed: value * share,
    collateral: { ...NOTHING, [SPOT[asset]]: value },
  };
}

/** Staked ether with a perpetual of `ratio` times its value; the margin of a hedge is in cash. */
function staker(label: string, value: number, ratio: number): Draft {
  const collateral = { ...NOTHING, wstETH: value };
  return { ...BLANK, kind: "staker", label, cash: value * 0.08, collateral, position: { ...FLAT, ETH: value * ratio } };
}

/** Lends cash out, and may be long BTC on it. */
function lender(label: string, cash: number, lent: number, btc: number): Draft {
  return { ...BLANK, kind: "lender", label, cash, lent, position: { ...FLAT, BTC: btc } };
}
