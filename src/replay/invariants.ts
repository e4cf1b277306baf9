import { IClearingHouse__factory, MockERC20__factory } from "../../types/index.ts";
import { assessAccount, marginState } from "../risk/account.ts";
import { debtOf, lentOf } from "../risk/lending.ts";
import { pnlOf } from "../risk/pools.ts";
import type { AccountState, HouseState } from "../risk/types.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { readable, readAccount, readHouse } from "../sdk/read.ts";
import { formatWad, toWadDown } from "../sdk/units.ts";
import type { Chronicle } from "./chronicle.ts";
import { usd } from "./format.ts";
import type { ReadableVenue } from "./venue.ts";

const FEE_UNIT = 10n ** 9n;
const FLAG_AUCTION = 1n;

/** What depends on keepers rather than on the contracts. */
export const LIVENESS = "nobody below MM is left untaken";

/** One thing that must be true at the end, with its numbers. */
export interface Finding {
  name: string;
  holds: boolean;
  numbers: string;
}

/** Everything that the chain says at one block. */
export interface Books {
  house: HouseState;
  accounts: Map<AccountId, AccountState>;
  markets: { id: number; name: string; openInterest: bigint; fees: bigint; pool: bigint; badDebt: bigint }[];
  block: number;
}

/** Reads the books of `accounts` at the latest block. */
export async function readBooks({ chain, book }: ReadableVenue, accounts: Iterable<AccountId>): Promise<Books> {
  const { provider } = chain;
  const contracts = readable(book, provider);
  const block = (await provider.send("eth_getBlockByNumber", ["latest", false])) as {
    number: string;
    timestamp: string;
  };
  const at = { number: Number(block.number), timestamp: Number(block.timestamp) };
  const house = await readHouse(contracts, book, at);
  const read = async (id: AccountId): Promise<[AccountId, AccountState]> => [
    id,
    await readAccount(contracts, id, at.number),
  ];
  const markets = book.markets.map(async ({ id, name }) => {
    const [, index, rate, pool, loss] = await contracts.clearingHouse.market(id);
    const fees = rate.fees * FEE_UNIT;
    return { id, name, openInterest: index.openInterest, fees, pool: pool.cash, badDebt: loss.badDebt };
  });
  return {
    house,
    accounts: new Map(await Promise.all([...accounts].map(read))),
    markets: await Promise.all(markets),
    block: at.number,
  };
}

/** Checks everything of the design's list that can be seen at the end of a replay. */
export async function checkInvariants(venue: ReadableVenue, books: Books, chronicle: Chronicle): Promise<Finding[]> {
  return [
    ...(await custody(venue, books)),
    ...lending(books),
    ...books.markets.flatMap((market) => marketFindings(market, books, chronicle)),
    ...(await health(venue, books)),
  ];
}

/** Vault balance ≥ claims per token; for cash to the wei, because nothing but deposits and withdrawals moves it. */
async function custody({ chain, book }: ReadableVenue, { accounts, markets, house }: Books): Promise<Finding[]> {
  const balance = async ({ token, decimals }: { token: string; decimals: number }) =>
    toWadDown(await MockERC20__factory.connect(token, chain.provider).balanceOf(book.contracts.vault), decimals);
  const all = [...accounts.values()];
  const cash = sum(all.map((a) => a.cash));
  const pools = sum(markets.map((m) => m.pool));
  const { lent, reserves, borrowed } = house.lending;
  const held = await balance(book.cash);
  const difference = held - (cash + lent + reserves - borrowed + pools);
  const terms = [cash, lent, reserves].map(formatWad).join(" + ");
  const findings = [
    finding(
      `${book.cash.symbol}: vault = Σ cash + lent + reserves − borrowed + Σ pools`,
      difference === 0n,
      `${formatWad(held)} = ${terms} − ${formatWad(borrowed)} + ${formatWad(pools)}, difference ${difference.toString()} wei`,
    ),
  ];
  for (const collateral of book.collaterals) {
    const claims = sum(all.map((a) => a.collaterals.get(collateral.id) ?? 0n));
    const stock = await balance(collateral);
    const numbers = `${formatWad(stock)} ≥ ${formatWad(claims)}, difference ${(stock - claims).toString()} wei`;
    findings.push(finding(`${collateral.symbol}: vault ≥ claims`, stock >= claims, numbers));
  }
  return findings;
}

/** Shares add up, claims are covered, and nobody owes what he could pay. */
function lending({ accounts, house }: Books): Finding[] {
  const pool = house.lending;
  const all = [...accounts.values()];
  const [lentShares, debtShares] = [sum(all.map((a) => a.lentShares)), sum(all.map((a) => a.debtShares))];
  const lent = sum(all.map((a) => lentOf(pool, a.lentShares)));
  const debt = sum(all.map((a) => debtOf(pool, a.debtShares)));
  const idle = all.filter((a) => a.debtShares !== 0n && (a.cash !== 0n || a.lentShares !== 0n));
  const [lenders, borrowers] = [all.filter((a) => a.lentShares !== 0n), all.filter((a) => a.debtShares !== 0n)];
  const [missing, owed] = [pool.lent - lent, debt - pool.borrowed];
  return [
    finding(
      "lending: shares of accounts = shares of the pool",
      lentShares === pool.lentShares && debtShares === pool.debtShares,
      `${lenders.length} lenders, ${borrowers.length} borrowers`,
    ),
    finding(
      "lending: claims of lenders ≤ lent, debts ≥ borrowed",
      missing >= 0n && owed >= -1n && missing <= BigInt(all.length) && owed <= BigInt(all.length),
      `${formatWad(lent)} of ${formatWad(pool.lent)}, ${formatWad(debt)} for ${formatWad(pool.borrowed)}`,
    ),
    finding("lending: nobody has debt and cash or lent cash", idle.length === 0, `${idle.length} have`),
  ];
}

function marketFindings(market: Books["markets"][number], { accounts, house }: Books, chronicle: Chronicle): Finding[] {
  const { id, name, openInterest, fees, pool, badDebt } = market;
  const positions = [...accounts.values()].flatMap((a) => a.positions.get(id) ?? []);
  const sizes = positions.map((p) => p.size);
  const long = sum(sizes.filter((s) => s > 0n));
  const short = -sum(sizes.filter((s) => s < 0n));
  const claims = sum(positions.map((p) => pnlOf(p, id, house))) + fees;
  const short_ = pool + badDebt - claims;
  const bound = BigInt(positions.length) + (chronicle.roundings.get(id) ?? 0n);
  return [
    finding(`${name}: Σ size = 0`, long === short, `${formatWad(long)} long, ${formatWad(short)} short`),
    finding(`${name}: open interest = long = short`, openInterest === long && long === short, formatWad(openInterest)),
    finding(
      `${name}: Σ ⌊PnL⌋ + fees ≤ pool + bad debt`,
      short_ >= 0n && short_ <= bound,
      `${formatWad(claims)} ≤ ${formatWad(pool)} + ${formatWad(badDebt)}, short by ${short_.toString()} wei of at most ${bound.toString()}`,
    ),
  ];
}

/** Nobody below MM is overlooked, and both risk engines agree. */
async function health({ chain, book }: ReadableVenue, { accounts, house }: Books): Promise<Finding[]> {
  const clearingHouse = IClearingHouse__factory.connect(book.contracts.clearingHouse, chain.provider);
  const ids = [...accounts.keys()];
  const assessments = await Promise.all(ids.map((id) => clearingHouse.assess(id)));
  const states = await Promise.all(ids.map((id) => clearingHouse.account(id)));
  let different = 0;
  const below: string[] = [];
  let overlooked = 0;
  ids.forEach((id, i) => {
    const [equity, initialMargin, maintenanceMargin] = assessments[i] ?? [0n, 0n, 0n];
    const account = accounts.get(id);
    const mine = account === undefined ? undefined : assessAccount(account, house);
    const same =
      mine?.equity === equity && mine.initialMargin === initialMargin && mine.maintenanceMargin === maintenanceMargin;
    if (!same) different += 1;
    const state = marginState({ equity, initialMargin, maintenanceMargin });
    if (state !== "liquidatable" && state !== "bankrupt") return;
    below.push(`E ${usd(equity)} of MM ${usd(maintenanceMargin)}`);
    if (((states[i]?.flags ?? 0n) & FLAG_AUCTION) === 0n) overlooked += 1;
  });
  return [
    finding(
      LIVENESS,
      overlooked === 0,
      `${below.length} below MM, ${below.length - overlooked} of them in a running auction${list(below)}`,
    ),
    finding(
      "contract and src/risk agree to the wei",
      different === 0,
      `E, IM and MM of ${ids.length} accounts, ${different} different`,
    ),
  ];
}

function list(texts: readonly string[]): string {
  return texts.length === 0 ? "" : `: ${texts.join("; ")}`;
}

function finding(name: string, holds: boolean, numbers: string): Finding {
  return { name, holds, numbers };
}

function sum(amounts: readonly bigint[]): bigint {
  return amounts.reduce((total, amount) => total + amount, 0n);
}
