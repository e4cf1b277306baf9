import { id as topicOf, Interface, zeroPadValue } from "ethers";
import type { Log, Provider } from "ethers";

import type { IClearingHouse } from "../../types/contracts/interfaces/IClearingHouse.ts";
import { IClearingHouse__factory } from "../../types/index.ts";
import { positive } from "../risk/fixed.ts";
import { liquidity } from "../risk/lending.ts";
import type { AccountState, LendingState } from "../risk/types.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { ReadonlyAccountMap } from "../sdk/accountMap.ts";
import type { AddressBook, CashEntry, MarketEntry } from "../sdk/addressBook.ts";
import { readAccount, readLending } from "../sdk/read.ts";
import { toWadDown } from "../sdk/units.ts";
import { decode } from "./decode.ts";
import { Flows, LENDING } from "./flows.ts";
import { EMPTY_ACCOUNT, EventLedger } from "./ledger.ts";

const BLOCKS_PER_QUERY = 10_000;
const ACCOUNTS_AT_ONCE = 50; // the provider packs what is asked at once into few requests
const FEE_UNIT = 10n ** 9n; // [wad] granularity of stored fees

const TRANSFER = topicOf("Transfer(address,address,uint256)");
const erc20 = new Interface(["function balanceOf(address owner) view returns (uint256)"]);

/** One amount by each who knows it: the events alone, the storage of the clearinghouse and, of a token, the vault. [wad] */
export interface AuditEntry {
  /** `undefined`: the whole house */
  readonly account?: AccountId;
  readonly what: string;
  /** symbol of a token or name of a market */
  readonly of: string;
  readonly events: bigint;
  readonly storage: bigint;
  /** what the vault holds less what is unclaimed */
  readonly vault?: bigint;
}

/** What an audit has found. */
export interface Audit {
  readonly block: number;
  readonly accounts: number;
  /** of all accounts and pools, token by token and market by market */
  readonly totals: readonly AuditEntry[];
  /** [wad] by symbol: tokens that somebody has sent to the vault without a deposit */
  readonly unclaimed: ReadonlyMap<string, bigint>;
  /** what is not equal to the wei, accounts first */
  readonly differences: readonly AuditEntry[];
}

/** Is told how far an audit has come. */
export type Progress = (what: string, done: number, total: number) => void;

/** What is audited: a house at the end of block `last`. */
interface Audited {
  readonly provider: Provider;
  readonly book: AddressBook;
  readonly clearingHouse: IClearingHouse;
  readonly last: number;
  readonly progress: Progress;
}

/** The house as events alone tell it. */
interface Told {
  readonly ledger: EventLedger;
  readonly flows: Flows;
}

/** What a market keeps besides positions [wad]. */
interface MarketSums {
  readonly id: number;
  readonly name: string;
  readonly openInterest: bigint;
  readonly fees: bigint;
  readonly pool: bigint;
  readonly badDebt: bigint;
}

/** The house as its clearinghouse stores it. */
interface Stored {
  readonly accounts: ReadonlyAccountMap<AccountState>;
  readonly markets: readonly MarketSums[];
  readonly lending: LendingState;
  /** [wad] that the ledger counts against caps, by collateral asset */
  readonly collateralTotals: ReadonlyMap<number, bigint>;
}

/**
 * Rebuilds every balance of a house at the end of block `last` from events alone, and compares it with storage and with the tokens of
 * the vault.
 * @throws UnlistedToken
 */
export async function audit(provider: Provider, book: AddressBook, last: number, progress: Progress): Promise<Audit> {
  const clearingHouse = IClearingHouse__factory.connect(book.contracts.clearingHouse, provider);
  const house: Audited = { provider, book, clearingHouse, last, progress };
  const told = await readEvents(house);
  const stored = await readStorage(house, told.ledger);
  const tokens = await tokenTotals(house, told, stored);
  const totals = [
    ...tokens.map(({ entry }) => entry),
    ...collateralTotals(told, stored, book),
    ...lendingTotals(told, stored, book),
    ...marketTotals(told, stored),
  ];
  const ofAccounts = [...told.ledger.accounts].flatMap(([id, account]) =>
    amountsOf(id, account, stored.accounts.get(id), book).filter(isDifferent),
  );
  return {
    block: last,
    accounts: told.ledger.accounts.size,
    totals,
    unclaimed: new Map(tokens.map(({ entry, unclaimed }) => [entry.of, unclaimed])),
    differences: [...ofAccounts, ...totals.filter(isDifferent)],
  };
}

// ---------------------------------------------------------------- reading

async function readEvents({ provider, book, clearingHouse, last, progress }: Audited): Promise<Told> {
  const ledger = new EventLedger(book.cash.token);
  const flows = new Flows();
  for (let fromBlock = book.deployBlock; fromBlock <= last; fromBlock += BLOCKS_PER_QUERY) {
    const toBlock = Math.min(fromBlock + BLOCKS_PER_QUERY - 1, last);
    const logs = await provider.getLogs({ address: book.contracts.clearingHouse, fromBlock, toBlock });
    ledger.apply(
      { number: toBlock, hash: "" },
      logs.map(decode).filter((event) => event !== undefined),
    );
    ledger.finalise(toBlock); // nothing of it is ever taken back
    for (const log of logs) flows.apply(clearingHouse.interface.parseLog(log));
    progress("events up to block", toBlock, last);
  }
  return { ledger, flows };
}

async function readStorage(house: Audited, ledger: EventLedger): Promise<Stored> {
  const { book, last } = house;
  const total = ({ id }: { id: number }) => house.clearingHouse.collateralTotal(id, { blockTag: last });
  const [lending, collateralTotals, markets] = await Promise.all([
    readLending(house, last),
    Promise.all(book.collaterals.map(async (asset) => [asset.id, await total(asset)] as const)),
    Promise.all(book.markets.map((market) => readMarket(house, market))),
  ]);
  const accounts = new AccountMap<AccountState>();
  const ids = [...ledger.accounts.keys()];
  for (let from = 0; from < ids.length; from += ACCOUNTS_AT_ONCE) {
    const some = ids.slice(from, from + ACCOUNTS_AT_ONCE);
    const read = async (id: AccountId) => {
      accounts.set(id, await readAccount(house, id, last));
    };
    await Promise.all(some.map(read));
    house.progress("accounts", accounts.size, ids.length);
  }
  return { accounts, markets, lending, collateralTotals: new Map(collateralTotals) };
}

async function readMarket({ clearingHouse, last }: Audited, { id, name }: MarketEntry): Promise<MarketSums> {
  const [, index, rate, pool, loss] = await clearingHouse.market(id, { blockTag: last });
  const { openInterest } = index;
  return { id, name, openInterest, fees: rate.fees * FEE_UNIT, pool: pool.cash, badDebt: loss.badDebt };
}

/** What transfers have brought to the vault less what they took from it, in the token's own units. */
async function transferred({ provider, book, last, progress }: Audited, { token, symbol }: CashEntry): Promise<bigint> {
  const vault = zeroPadValue(book.contracts.vault, 32);
  const sum = (logs: readonly Log[]) => logs.reduce((total, { data }) => total + BigInt(data), 0n);
  let units = 0n;
  for (let fromBlock = book.deployBlock; fromBlock <= last; fromBlock += BLOCKS_PER_QUERY) {
    const range = { address: token, fromBlock, toBlock: Math.min(fromBlock + BLOCKS_PER_QUERY - 1, last) };
    const [to, from] = await Promise.all([
      provider.getLogs({ ...range, topics: [TRANSFER, null, vault] }),
      provider.getLogs({ ...range, topics: [TRANSFER, vault] }),
    ]);
    units += sum(to) - sum(from);
    progress(`transfers of ${symbol} up to block`, range.toBlock, last);
  }
  return units;
}

async function balanceOfVault({ provider, book, last }: Audited, token: string): Promise<bigint> {
  const data = erc20.encodeFunctionData("balanceOf", [book.contracts.vault]);
  const answer = await provider.call({ to: token, data, blockTag: last });
  return erc20.decodeFunctionResult("balanceOf", answer)[0] as bigint;
}

// ---------------------------------------------------------------- comparing

/** Everything that an account has, by events and by storage. */
function amountsOf(
  account: AccountId,
  told: AccountState,
  stored: AccountState = EMPTY_ACCOUNT,
  book: AddressBook,
): AuditEntry[] {
  const { symbol } = book.cash;
  const entry = (what: string, of: string, events = 0n, storage = 0n) => ({ account, what, of, events, storage });
  return [
    entry("cash", symbol, told.cash, stored.cash),
    entry("lent shares", symbol, told.lentShares, stored.lentShares),
    entry("debt shares", symbol, told.debtShares, stored.debtShares),
    ...keysOf(told.collaterals, stored.collaterals).map((id) =>
      entry("collateral", collateralName(id, book), told.collaterals.get(id), stored.collaterals.get(id)),
    ),
    ...keysOf(told.positions, stored.positions).flatMap((id) => {
      const [a, b] = [told.positions.get(id), stored.positions.get(id)];
      const of = marketName(id, book);
      return [entry("size", of, a?.size, b?.size), entry("quote", of, a?.quote, b?.quote)];
    }),
  ];
}

/** Of every token what was deposited and not withdrawn, what accounts and pools have, and what the vault holds. */
async function tokenTotals(
  house: Audited,
  { flows }: Told,
  stored: Stored,
): Promise<{ entry: AuditEntry; unclaimed: bigint }[]> {
  const { book } = house;
  const accounts = [...stored.accounts.values()];
  const pools = stored.markets.reduce((sum, { pool }) => sum + pool, 0n);
  const owed = [
    { token: book.cash, storage: sumOf(accounts, ({ cash }) => cash) + liquidity(stored.lending) + pools },
    ...book.collaterals.map((token) => ({
      token,
      storage: sumOf(accounts, ({ collaterals }) => collaterals.get(token.id) ?? 0n),
    })),
  ];
  return Promise.all(
    owed.map(async ({ token, storage }) => {
      const { symbol: of, decimals } = token;
      const [units, balance] = await Promise.all([transferred(house, token), balanceOfVault(house, token.token)]);
      const events = flows.tokens.get(token.token);
      const unclaimed = positive(toWadDown(units, decimals) - events);
      const vault = toWadDown(balance, decimals) - unclaimed;
      return { entry: { what: "tokens", of, events, storage, vault }, unclaimed };
    }),
  );
}

/** What counts against the caps on collateral. */
function collateralTotals({ flows }: Told, stored: Stored, book: AddressBook): AuditEntry[] {
  return book.collaterals.map(({ id, symbol: of, token }) => {
    const storage = stored.collateralTotals.get(id) ?? 0n;
    return { what: "collateral total", of, events: flows.tokens.get(token), storage };
  });
}

/** What is lent and borrowed. */
function lendingTotals({ ledger, flows }: Told, { lending }: Stored, book: AddressBook): AuditEntry[] {
  const accounts = [...ledger.accounts.values()];
  const { symbol: of } = book.cash;
  return [
    { what: "lent, not borrowed", of, events: flows.pools.get(LENDING), storage: liquidity(lending) },
    { what: "lent shares", of, events: sumOf(accounts, (a) => a.lentShares), storage: lending.lentShares },
    { what: "debt shares", of, events: sumOf(accounts, (a) => a.debtShares), storage: lending.debtShares },
  ];
}

/** Of every market what is long and short, which must be equal, and what belongs to no account. */
function marketTotals({ ledger, flows }: Told, { markets }: Stored): AuditEntry[] {
  const accounts = [...ledger.accounts.values()];
  return markets.flatMap(({ id, name: of, openInterest, fees, pool, badDebt }) => {
    const size = (account: AccountState) => account.positions.get(id)?.size ?? 0n;
    return [
      { what: "long sizes", of, events: sumOf(accounts, (a) => positive(size(a))), storage: openInterest },
      { what: "short sizes", of, events: sumOf(accounts, (a) => positive(-size(a))), storage: openInterest },
      { what: "fees", of, events: ledger.totals.fees.get(id) ?? 0n, storage: fees },
      { what: "pool", of, events: flows.pools.get(BigInt(id)), storage: pool },
      { what: "bad debt", of, events: flows.badDebts.get(BigInt(id)), storage: badDebt },
    ];
  });
}

function isDifferent({ events, storage, vault = storage }: AuditEntry): boolean {
  return events !== storage || vault !== storage;
}

function sumOf<T>(list: readonly T[], amountOf: (item: T) => bigint): bigint {
  return list.reduce((sum, item) => sum + amountOf(item), 0n);
}

function keysOf(a: ReadonlyMap<number, unknown>, b: ReadonlyMap<number, unknown>): number[] {
  return [...new Set([...a.keys(), ...b.keys()])];
}

function marketName(id: number, { markets }: AddressBook): string {
  return markets.find((market) => market.id === id)?.name ?? `market ${id}`;
}

function collateralName(id: number, { collaterals }: AddressBook): string {
  return collaterals.find((collateral) => collateral.id === id)?.symbol ?? `collateral ${id}`;
}
