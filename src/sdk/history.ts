import { toBeHex } from "ethers";
import type { Block, Log, TopicFilter } from "ethers";

import type { KeyGrantedEvent } from "../../types/contracts/Exchange.ts";
import { AccessManager__factory } from "../../types/factories/@openzeppelin/contracts/access/manager/AccessManager__factory.ts";
import { WAD } from "../risk/fixed.ts";
import { current } from "../risk/funding.ts";
import { marketOf } from "../risk/house.ts";
import { accountId, isolatedAccountId, ownerOf } from "./accountId.ts";
import type { AccountId } from "./accountId.ts";
import { NodeIncomplete } from "./client.ts";
import type { Plimsoll } from "./client.ts";
import { readMarket } from "./read.ts";
import { limitedTo } from "./sessionKeys.ts";
import type { Grant } from "./sessionKeys.ts";

const NUMBERED = 32; // accounts of each kind that are looked for by their numbers, as many as a grant can name
const MAX_TOPICS = 500; // that nodes commonly take in one place of a query of logs
const RANGE = 10_000; // [blocks] that nodes commonly allow one query of logs

/** A change of an account, as an event told it; amounts are [wad]. */
export interface StatementEntry {
  /** number of the block */
  readonly block: number;
  /** hash of the transaction */
  readonly transaction: string;
  /** such as "deposit", "buy" or "settlement" */
  readonly what: string;
  /** address of the token, of deposits, withdrawals and transfers */
  readonly token?: string;
  /** id of the market, of fills, slices and settlements */
  readonly market?: number;
  /** of cash, token or size, signed as it changed the account */
  readonly amount: bigint;
  /** of a fill */
  readonly price?: bigint;
  /** fee, or what a liquidation cost */
  readonly cost?: bigint;
}

/** Funding over a time. */
export interface FundingPaid {
  /** [s] from when on */
  readonly from: number;
  /** [wad] USD that a long of one unit has paid, and a short received; negative the other way round */
  readonly paid: bigint;
}

/** Where and when a key was used. */
export interface KeyUse {
  /** number of the block */
  readonly block: number;
  /** [s] of the block */
  readonly time: number;
}

/** A grant or a revocation. */
export interface KeyHistoryEntry extends KeyUse {
  /** "all revoked": every key, order and intent of before */
  readonly what: "granted" | "revoked" | "all revoked";
  /** address of the key; `undefined`: all */
  readonly key: string | undefined;
  /** who granted: the owner or a key of his; who brought the revocation; `undefined` where the event does not say */
  readonly by: string | undefined;
  /** hash of the transaction */
  readonly transaction: string;
}

/** A session key as it stands. */
export interface KnownKey {
  /** address of the key */
  readonly key: string;
  /** what it may do; what it might do last, if its owner has revoked all since */
  readonly grant: Grant;
  /** how often it was granted or revoked since its owner last revoked all */
  readonly version: bigint;
  /** key that granted it; `undefined`: the owner */
  readonly parent: string | undefined;
  /** whether it works */
  readonly live: boolean;
  /** [0.01 USD] that it may still trade today (UTC); `undefined`: no limit */
  readonly notionalLeft: bigint | undefined;
  /** [0.0001 USD] that its fills may still lose against the index, fees included; `undefined`: no limit */
  readonly lossLeft: bigint | undefined;
  /** its last fill, in an account that {@link accountsOf} knows, or intent; `undefined` if it was never used */
  readonly lastUse: KeyUse | undefined;
}

/** An address on an owner's list of payees. */
export interface Payee {
  /** address that may be paid */
  readonly payee: string;
  /** [s] from which on it is good */
  readonly since: bigint;
}

/** Who has a role in the house's access manager. */
export interface RoleMember {
  /** 0 = admin */
  readonly role: bigint;
  /** address of who has it */
  readonly member: string;
  /** [s] between scheduling and executing */
  readonly delay: bigint;
}

/**
 * Accounts of an owner into which anything was ever brought; the main account is always among them. Only logs that name the owner or
 * one of his accounts are asked for, and logs can be asked for whole account ids only. So it knows: accounts into which he has deposited himself
 * or by an intent, what he has moved on from those, and, whoever has paid into them, those with numbers up to 31, of either kind and
 * isolated in any market. What it misses: an account with a higher number that only others have ever paid into.
 *
 * @param house client of the house
 * @param owner who is asked about
 * @returns ids in ascending order
 *
 * @example
 * ```ts
 * await house.transfer(account, isolatedAccountId(alice.address, 0), "USDC", "100");
 * console.log((await accountsOf(house, alice.address)).map((id) => accountParts(id).isolatedMarket)); // → [ undefined, 0n ]
 * ```
 */
export async function accountsOf(house: Plimsoll, owner: string): Promise<AccountId[]> {
  const own = new Set([accountId(owner)]);
  const keep = (ids: readonly AccountId[]): AccountId[] => {
    const found = ids.filter((id) => ownerOf(id) === owner && !own.has(id));
    for (const id of found) own.add(id);
    return found;
  };
  const { Deposited } = house.clearingHouse.filters;
  const deposits = await history(house, (...range) =>
    house.clearingHouse.queryFilter(Deposited(undefined, undefined, owner), ...range),
  );
  keep(deposits.map(({ args }) => args.account));
  const likely = likelyAccounts(house, owner);
  keep(await receivers(house, likely));
  let next = [...new Set([...own, ...likely])];
  while (next.length !== 0) next = keep(await movedFrom(house, next));
  return [...own].sort((a, b) => (a < b ? -1 : 1));
}

/**
 * What has happened to an account, by the events of the house.
 *
 * @param house client of the house
 * @param id account that is asked about
 * @returns entries, the oldest first
 *
 * @example
 * ```ts
 * const [deposit, fill] = await statementOf(house, account);
 * console.log(deposit?.what, fill?.what, formatWad(fill?.cost ?? 0n)); // → deposit buy 10
 * ```
 */
export async function statementOf(house: Plimsoll, id: AccountId): Promise<StatementEntry[]> {
  const entries = await history(house, async (...range) => {
    const lists = await Promise.all([moved(house, id, range), traded(house, id, range), settled(house, id, range)]);
    return lists.flat();
  });
  return entries.sort((a, b) => a.block - b.block || a.index - b.index).map(({ index: _, ...entry }) => entry);
}

/**
 * Interest that an account's loans have cost since it last had none. The principal of debt that a liquidation moves goes with it.
 *
 * @param house client of the house
 * @param id account that is asked about
 * @returns USD [wad], negative if it has earned more by lending
 *
 * @example
 * ```ts
 * await house.lend(account, "2500");
 * const [bobs, his] = [await Plimsoll.connect(addressBook, bob), accountId(bob.address)];
 * await bobs.deposit(his, "WETH", "5");
 * await bobs.withdraw(his, "USDC", "10500"); // of which he borrows 500
 * await passTime(3600);
 * console.log((await interestSoFar(house, account)) < 0n, (await interestSoFar(bobs, his)) > 0n); // → true true
 * ```
 */
export async function interestSoFar(house: Plimsoll, id: AccountId): Promise<bigint> {
  const { clearingHouse: c } = house;
  const events = await history(house, (...range) => c.queryFilter(c.filters.LoansChanged(id), ...range));
  let [principal, shares] = [0n, 0n]; // of debt, negative: of lent cash
  for (const { args, blockNumber } of events) {
    const after = args.debtShares - args.lentShares;
    if (args.cash !== 0n) principal += args.cash;
    else if (shares !== 0n) principal = (principal * after) / shares;
    else principal = netDebt(await c.loans(id, { blockTag: blockNumber }));
    if (after === 0n) principal = 0n;
    shares = after;
  }
  return netDebt(await c.loans(id)) - principal;
}

/**
 * Funding that a market's longs have paid to its shorts lately. The node must still have the state of that time.
 *
 * @param house client of the house
 * @param market id of the market
 * @param period [s] that is looked back, as far as the house goes; a day unless said otherwise
 * @returns what a long of one unit has paid
 * @throws {@link UnknownMarket} if the market is not listed
 *
 * @example
 * ```ts
 * const { paid } = await fundingPaid(house, 0);
 * await passTime(3600);
 * console.log((await fundingPaid(house, 0)).paid >= paid); // → true
 * ```
 */
export async function fundingPaid(house: Plimsoll, market: number, period = 86_400): Promise<FundingPaid> {
  const now = await house.state();
  const block = await blockAt(house, Number(now.time) - period);
  const before = await fundingAt(house, market, block);
  return { from: block.timestamp, paid: (current(marketOf(now, market), now.time) - before) / WAD };
}

/** F [ray36] of a market at a block; zero before the house was there. */
async function fundingAt(house: Plimsoll, market: number, block: Block): Promise<bigint> {
  const code = await house.provider.getCode(house.addressBook.contracts.clearingHouse, block.number);
  if (code === "0x") return 0n;
  return current(await readMarket(house, market, block.number), BigInt(block.timestamp));
}

/** The last block at a time [s], but not before the house was deployed. */
async function blockAt({ provider, addressBook }: Plimsoll, time: number): Promise<Block> {
  const blockOf = async (number: number | "latest"): Promise<Block> => {
    const block = await provider.getBlock(number);
    if (block === null) throw new NodeIncomplete(`block ${number}`);
    return block;
  };
  let [low, high] = [await blockOf(addressBook.deployBlock), await blockOf("latest")];
  while (high.number - low.number > 1) {
    const middle = await blockOf(Math.floor((low.number + high.number) / 2));
    if (middle.timestamp <= time) low = middle;
    else high = middle;
  }
  return high.timestamp <= time ? high : low;
}

/**
 * Every key that was ever granted for an owner, as it stands.
 *
 * @param house client of the house
 * @param owner who is asked about
 * @returns keys in the order of their first grants
 *
 * @example
 * ```ts
 * await house.grantKey({ owner: alice.address, key: bob.address }, { scopes: ["trade"], lossLimit: 500 });
 * const [known] = await keysOf(house, alice.address);
 * console.log(known?.key === bob.address, known?.live, known?.grant.lossLimit); // → true true 500n
 * ```
 */
export async function keysOf(house: Plimsoll, owner: string): Promise<KnownKey[]> {
  const { exchange } = house;
  const { KeyGranted } = exchange.filters;
  const granted = await history(house, (...range) => exchange.queryFilter(KeyGranted(owner), ...range));
  if (granted.length === 0) return [];
  const lastGrants = new Map(granted.map(({ args }) => [args.key, args]));
  const used = await lastUses(house, owner);
  return Promise.all([...lastGrants.values()].map((last) => keyOf(house, last, used.get(last.key))));
}

/**
 * What was granted and revoked for an owner, by the events of the exchange: the receipt of each revocation.
 *
 * @param house client of the house
 * @param owner who is asked about
 * @returns entries, the oldest first
 *
 * @example
 * ```ts
 * const key = { owner: alice.address, key: bob.address };
 * await house.grantKey(key, { scopes: ["trade"] });
 * await house.revokeKey(key);
 * console.log((await keyHistory(house, alice.address)).map(({ what }) => what)); // → [ 'granted', 'revoked' ]
 * ```
 */
export async function keyHistory(house: Plimsoll, owner: string): Promise<KeyHistoryEntry[]> {
  const { exchange } = house;
  const { KeyGranted, KeyRevoked, AllRevoked } = exchange.filters;
  const entries = await history(house, async (...range) => [
    ...(await exchange.queryFilter(KeyGranted(owner), ...range)).map((e) => {
      const { key, parent } = e.args;
      return { ...placeOf(e), what: "granted" as const, key, by: BigInt(parent) === 0n ? owner : parent };
    }),
    ...(await exchange.queryFilter(KeyRevoked(owner), ...range)).map((e) => {
      return { ...placeOf(e), what: "revoked" as const, key: e.args.key, by: e.args.caller };
    }),
    ...(await exchange.queryFilter(AllRevoked(owner), ...range)).map((e) => {
      return { ...placeOf(e), what: "all revoked" as const, key: undefined, by: undefined };
    }),
  ]);
  entries.sort((a, b) => a.block - b.block || a.index - b.index);
  return Promise.all(
    entries.map(async ({ index: _, ...entry }) => {
      const block = await house.provider.getBlock(entry.block);
      return { ...entry, time: block?.timestamp ?? 0 };
    }),
  );
}

/**
 * Who is on an owner's list of payees.
 *
 * @param house client of the house
 * @param owner who is asked about
 * @returns payees in the order in which they were first allowed
 *
 * @example
 * ```ts
 * await house.allowPayee(bob.address);
 * console.log((await payeesOf(house, alice.address)).map(({ payee }) => payee === bob.address)); // → [ true ]
 * ```
 */
export async function payeesOf(house: Plimsoll, owner: string): Promise<Payee[]> {
  const { clearingHouse } = house;
  const { PayeeAllowed } = clearingHouse.filters;
  const allowed = await history(house, (...range) => clearingHouse.queryFilter(PayeeAllowed(owner), ...range));
  const payees = [...new Set(allowed.map((e) => e.args.payee))];
  const known = await Promise.all(
    payees.map(async (payee) => ({ payee, since: await clearingHouse.payeeSince(owner, payee) })),
  );
  return known.filter(({ since }) => since !== 0n);
}

/**
 * Who governs the house: members of the roles of its access manager, as they stand.
 *
 * @param house client of the house
 * @returns members
 *
 * @example
 * ```ts
 * const members = await roleMembers(house);
 * console.log(members.some(({ role }) => role === 0n)); // → true
 * ```
 */
export async function roleMembers(house: Plimsoll): Promise<RoleMember[]> {
  const manager = AccessManager__factory.connect(house.addressBook.contracts.accessManager, house.provider);
  const granted = await history(house, (...range) => manager.queryFilter(manager.filters.RoleGranted(), ...range));
  const named = new Map(granted.map(({ args }) => [`${args.roleId.toString()} ${args.account}`, args]));
  const members = await Promise.all(
    [...named.values()].map(async ({ roleId, account }) => {
      const [isMember, delay] = await manager.hasRole(roleId, account);
      return { role: roleId, member: account, delay, isMember };
    }),
  );
  return members.filter((m) => m.isMember).map(({ role, member, delay }) => ({ role, member, delay }));
}

// ---------------------------------------------------------------- internals

/** Accounts with numbers that are in use, of either kind. */
function likelyAccounts({ addressBook }: Plimsoll, owner: string): AccountId[] {
  const serials = Array.from({ length: NUMBERED }, (_, serial) => serial);
  return serials.flatMap((serial) => [
    accountId(owner, serial),
    ...addressBook.markets.map(({ id }) => isolatedAccountId(owner, id, serial)),
  ]);
}

/** Those of some accounts that deposits, transfers or slices of others have come into. */
async function receivers(house: Plimsoll, ids: readonly AccountId[]): Promise<AccountId[]> {
  const [first, second] = await Promise.all([
    logsOf(house, ids, (some) => [topicOf(house, "Deposited"), some]),
    logsOf(house, ids, (some) => [[topicOf(house, "Transferred"), topicOf(house, "Liquidated")], null, some]),
  ]);
  return [...first.map(({ topics }) => BigInt(topics[1] ?? 0)), ...second.map(({ topics }) => BigInt(topics[2] ?? 0))];
}

/** The accounts that something was transferred to from some accounts. */
async function movedFrom(house: Plimsoll, ids: readonly AccountId[]): Promise<AccountId[]> {
  const logs = await logsOf(house, ids, (some) => [topicOf(house, "Transferred"), some]);
  return logs.map(({ topics }) => BigInt(topics[2] ?? 0));
}

/** What the logs of an event begin with. */
function topicOf({ clearingHouse }: Plimsoll, event: "Deposited" | "Transferred" | "Liquidated"): string {
  return clearingHouse.interface.getEvent(event).topicHash;
}

/** Logs, of the clearinghouse unless said otherwise, in which one topic is one of some accounts. */
function logsOf(
  house: Plimsoll,
  ids: readonly AccountId[],
  topics: (some: string[]) => TopicFilter,
  address = house.addressBook.contracts.clearingHouse,
): Promise<Log[]> {
  return history(house, async (fromBlock, toBlock) => {
    const found: Log[] = [];
    for (let i = 0; i < ids.length; i += MAX_TOPICS) {
      const some = ids.slice(i, i + MAX_TOPICS).map((id) => toBeHex(id, 32));
      found.push(...(await house.provider.getLogs({ address, topics: topics(some), fromBlock, toBlock })));
    }
    return found;
  });
}

type LastGrant = KeyGrantedEvent.OutputObject;
/** First and last block of a question for events. */
export type Range = [from: number, to: number];
type Placed = StatementEntry & { readonly index: number };

/** Everything that `query` finds since the house was deployed, asked for in ranges that nodes allow. */
export async function history<T>(house: Plimsoll, query: (...range: Range) => Promise<T[]>): Promise<T[]> {
  const head = await house.provider.getBlockNumber();
  const found: T[] = [];
  for (let from = house.addressBook.deployBlock; from <= head; from += RANGE) {
    found.push(...(await query(from, Math.min(head, from + RANGE - 1))));
  }
  return found;
}

function placeOf(e: { blockNumber: number; transactionHash: string; index: number }) {
  return { block: e.blockNumber, transaction: e.transactionHash, index: e.index };
}

async function moved({ clearingHouse: c }: Plimsoll, id: AccountId, range: Range): Promise<Placed[]> {
  const { Deposited, Withdrawn, Transferred } = c.filters;
  const [deposits, withdrawals, received, sent] = await Promise.all([
    c.queryFilter(Deposited(id), ...range),
    c.queryFilter(Withdrawn(id), ...range),
    c.queryFilter(Transferred(undefined, id), ...range),
    c.queryFilter(Transferred(id), ...range),
  ]);
  const entry = (what: string, sign: bigint) => (e: (typeof deposits | typeof withdrawals | typeof sent)[number]) => ({
    ...{ ...placeOf(e), what, token: e.args.token, amount: sign * e.args.amount },
  });
  return [
    ...deposits.map(entry("deposit", 1n)),
    ...withdrawals.map(entry("withdrawal", -1n)),
    ...received.map(entry("transfer in", 1n)),
    ...sent.map(entry("transfer out", -1n)),
  ];
}

async function traded({ clearingHouse: c }: Plimsoll, id: AccountId, range: Range): Promise<Placed[]> {
  const { Trade, PositionTaken } = c.filters;
  const [made, took, lost, gained] = await Promise.all([
    c.queryFilter(Trade(undefined, id), ...range),
    c.queryFilter(Trade(undefined, undefined, id), ...range),
    c.queryFilter(PositionTaken(id), ...range),
    c.queryFilter(PositionTaken(undefined, id), ...range),
  ]);
  const fill = (e: (typeof made)[number], amount: bigint, cost: bigint): Placed => ({
    ...{ ...placeOf(e), what: amount > 0n ? "buy" : "sell", market: Number(e.args.market) },
    ...{ amount, price: e.args.price, cost },
  });
  const slice = (e: (typeof lost)[number], sign: bigint): Placed => ({
    ...{ ...placeOf(e), what: sign > 0n ? "slice taken" : "slice sold", market: Number(e.args.market) },
    amount: sign * e.args.size,
  });
  return [
    ...made.map((e) => fill(e, -e.args.size, e.args.makerFee)),
    ...took.map((e) => fill(e, e.args.size, e.args.takerFee)),
    ...lost.map((e) => slice(e, -1n)),
    ...gained.map((e) => slice(e, 1n)),
  ];
}

async function settled({ clearingHouse: c }: Plimsoll, id: AccountId, range: Range): Promise<Placed[]> {
  const { Settled, LoansChanged, Liquidated } = c.filters;
  const [settlements, loans, liquidations, takeovers] = await Promise.all([
    c.queryFilter(Settled(id), ...range),
    c.queryFilter(LoansChanged(id), ...range),
    c.queryFilter(Liquidated(id), ...range),
    c.queryFilter(Liquidated(undefined, id), ...range),
  ]);
  return [
    ...settlements.map((e) => ({
      ...{ ...placeOf(e), what: "settlement", market: Number(e.args.market), amount: e.args.amount },
    })),
    ...loans.map((e) => ({ ...placeOf(e), what: "loan", amount: e.args.cash })),
    ...liquidations.map((e) => ({
      ...{ ...placeOf(e), what: "liquidation", amount: e.args.payment, cost: e.args.cost },
    })),
    ...takeovers.map((e) => ({ ...placeOf(e), what: "takeover", amount: -e.args.payment })),
  ];
}

/** The blocks in which an owner's keys have last signed an intent or an order that was filled. */
async function lastUses(house: Plimsoll, owner: string): Promise<Map<string, number>> {
  const { exchange } = house;
  const intents = await history(house, (...range) =>
    exchange.queryFilter(exchange.filters.IntentUsed(owner), ...range),
  );
  const { topicHash } = exchange.interface.getEvent("OrdersMatched");
  const own = await accountsOf(house, owner);
  const { exchange: address } = house.addressBook.contracts;
  const signed = (at: "makerKey" | "takerKey") => (log: Log) => {
    const event = exchange.interface.parseLog(log);
    return { key: String(event?.args[at]), block: log.blockNumber };
  };
  const uses = [
    ...intents.map(({ args, blockNumber }) => ({ key: args.key, block: blockNumber })),
    ...(await logsOf(house, own, (some) => [topicHash, some], address)).map(signed("makerKey")),
    ...(await logsOf(house, own, (some) => [topicHash, null, some], address)).map(signed("takerKey")),
  ];
  const last = new Map<string, number>();
  for (const { key, block } of uses) last.set(key, Math.max(block, last.get(key) ?? 0));
  return last;
}

/** One key of an owner's, by its last grant; `usedAt` is the block of its last use. */
async function keyOf(house: Plimsoll, last: LastGrant, usedAt: number | undefined): Promise<KnownKey> {
  const { owner, key } = last;
  const state = await house.exchange.sessionKey(owner, key);
  const { version, live, notionalLeft, lossLeft } = state;
  const block = usedAt === undefined ? null : await house.provider.getBlock(usedAt);
  const { grant, parent } = version === 0n ? last : state; // `revokeAll` empties the state
  const { scopes, markets, accounts, expiry, priceBand, dailyNotional, lossLimit, equityFloor } = grant;
  return {
    ...{ key, version, live },
    ...{ notionalLeft: limitedTo(notionalLeft), lossLeft: limitedTo(lossLeft) },
    grant: { scopes, markets, accounts, expiry, priceBand, dailyNotional, lossLimit, equityFloor },
    parent: BigInt(parent) === 0n ? undefined : parent,
    lastUse: block === null ? undefined : { block: block.number, time: block.timestamp },
  };
}

function netDebt({ lent, debt }: { lent: bigint; debt: bigint }): bigint {
  return debt - lent;
}
