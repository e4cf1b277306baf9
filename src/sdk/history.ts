import { AccessManager__factory } from "../../types/factories/@openzeppelin/contracts/access/manager/AccessManager__factory.ts";
import { accountId, ownerOf } from "./accountId.ts";
import type { AccountId } from "./accountId.ts";
import type { Plimsoll } from "./client.ts";
import type { Grant } from "./sessionKeys.ts";

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

/** Where and when a key was used. */
export interface KeyUse {
  /** number of the block */
  readonly block: number;
  /** [s] of the block */
  readonly time: number;
}

/** A session key as it stands. */
export interface KnownKey {
  /** address of the key */
  readonly key: string;
  /** what it may do */
  readonly grant: Grant;
  /** how often it was granted */
  readonly version: bigint;
  /** key that granted it; `undefined`: the owner */
  readonly parent: string | undefined;
  /** whether it works */
  readonly live: boolean;
  /** [1e-6 USD] that it has traded today (UTC) */
  readonly tradedToday: bigint;
  /** [1e-9 USD] that its fills have lost against the index, fees included */
  readonly loss: bigint;
  /** its last fill or intent; `undefined` if it was never used */
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
 * Accounts of an owner into which anything was ever brought. The main account is always among them.
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
  const { clearingHouse: c } = house;
  const { Deposited, Transferred, Liquidated } = c.filters;
  const seen = await history(house, async (...range) => [
    ...(await c.queryFilter(Deposited(), ...range)).map((e) => e.args.account),
    ...(await c.queryFilter(Transferred(), ...range)).map((e) => e.args.to),
    ...(await c.queryFilter(Liquidated(), ...range)).map((e) => e.args.taker),
  ]);
  const own = new Set([accountId(owner), ...seen.filter((id) => ownerOf(id) === owner)]);
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
  const { KeyGranted, KeyUsed, IntentUsed } = exchange.filters;
  const granted = await history(house, (...range) => exchange.queryFilter(KeyGranted(owner), ...range));
  const uses = await history(house, async (...range) => [
    ...(await exchange.queryFilter(KeyUsed(owner), ...range)),
    ...(await exchange.queryFilter(IntentUsed(owner), ...range)),
  ]);
  const lastUse = new Map<string, number>();
  for (const { args, blockNumber } of uses) {
    lastUse.set(args.key, Math.max(blockNumber, lastUse.get(args.key) ?? 0));
  }
  const keys = [...new Set(granted.map((e) => e.args.key))];
  return Promise.all(keys.map((key) => keyOf(house, owner, key, lastUse.get(key))));
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

type Range = [from: number, to: number];
type Placed = StatementEntry & { readonly index: number };

/** Everything that `query` finds since the house was deployed, asked for in ranges that nodes allow. */
async function history<T>(house: Plimsoll, query: (...range: Range) => Promise<T[]>): Promise<T[]> {
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

/** One key of an owner; `usedAt` is the block of its last use. */
async function keyOf(house: Plimsoll, owner: string, key: string, usedAt: number | undefined): Promise<KnownKey> {
  const { grant, version, parent, live, tradedToday, loss } = await house.exchange.sessionKey(owner, key);
  const block = usedAt === undefined ? null : await house.provider.getBlock(usedAt);
  const { scopes, markets, accounts, expiry, priceBand, dailyNotional, lossLimit, equityFloor } = grant;
  return {
    ...{ key, version, live, tradedToday, loss },
    grant: { scopes, markets, accounts, expiry, priceBand, dailyNotional, lossLimit, equityFloor },
    parent: BigInt(parent) === 0n ? undefined : parent,
    lastUse: block === null ? undefined : { block: block.number, time: block.timestamp },
  };
}

function netDebt({ lent, debt }: { lent: bigint; debt: bigint }): bigint {
  return debt - lent;
}
