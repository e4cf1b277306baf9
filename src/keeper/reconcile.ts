import { Interface } from "ethers";
import type { Provider } from "ethers";

import type { IClearingHouse } from "../../types/index.ts";
import { positive } from "../risk/fixed.ts";
import { liquidity } from "../risk/lending.ts";
import type { AccountState, HouseState } from "../risk/types.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { fromWadDown } from "../sdk/units.ts";

/** What is compared: a mirror at a block, and the chain. */
export interface Reconciled {
  readonly sums: Sums;
  readonly house: HouseState;
  readonly head: number;
  readonly book: AddressBook;
  readonly clearingHouse: IClearingHouse;
  readonly provider: Provider;
}

/** A sum that the mirror and the chain disagree on. Amounts are [wad], of a vault in the token's own units. */
export interface Mismatch {
  readonly what: string;
  readonly mirrored: bigint | string;
  readonly onChain: bigint | string;
}

/** The mirror is not the chain: nothing may be done on its word. */
export class MirrorMismatch extends Error {
  readonly block: number;
  readonly mismatches: readonly Mismatch[];

  constructor(block: number, mismatches: readonly Mismatch[]) {
    const list = mismatches.map(({ what, mirrored, onChain }) => `${what}: ${mirrored} here, ${onChain} on the chain`);
    super(`the mirror is not the chain at block ${block}; delete the checkpoint and start anew. ${list.join("; ")}`);
    this.name = "MirrorMismatch";
    this.block = block;
    this.mismatches = mismatches;
  }
}

/** Sums over all accounts, kept while they change: to add up a million of them takes longer than a price gives time. Amounts are [wad]. */
export class Sums {
  cash = 0n;
  lentShares = 0n;
  debtShares = 0n;
  readonly sizes = new Map<number, bigint>(); // by market
  readonly longs = new Map<number, bigint>(); // likewise, of long positions only
  readonly collaterals = new Map<number, bigint>();

  /** An account that was `before` is `after` now. */
  replace(before: AccountState | undefined, after: AccountState | undefined): void {
    if (before !== undefined) this.#count(before, -1n);
    if (after !== undefined) this.#count(after, 1n);
  }

  #count({ cash, lentShares, debtShares, positions, collaterals }: AccountState, sign: 1n | -1n): void {
    this.cash += sign * cash;
    this.lentShares += sign * lentShares;
    this.debtShares += sign * debtShares;
    for (const [market, { size }] of positions) {
      add(this.sizes, market, sign * size);
      add(this.longs, market, sign * positive(size));
    }
    for (const [collateral, amount] of collaterals) add(this.collaterals, collateral, sign * amount);
  }
}

const erc20 = new Interface(["function balanceOf(address owner) view returns (uint256)"]);

/**
 * Compares sums over all accounts with the chain: size, open interest, shares in loans and collateral exactly, and that the vault holds
 * at least what is owed. More it may hold, for anyone can send it tokens.
 * @throws MirrorMismatch
 */
export async function expectReconciled(mirror: Reconciled): Promise<void> {
  const { sums } = mirror;
  const mismatches = [
    ...lendingOf(sums, mirror.house),
    ...marketsOf(sums, mirror.house),
    ...(await chainOf(sums, mirror)),
  ];
  if (mismatches.length !== 0) throw new MirrorMismatch(mirror.head, mismatches);
}

function lendingOf({ lentShares, debtShares }: Sums, { lending }: HouseState): Mismatch[] {
  return [
    ...unequal("shares in what is lent", lentShares, lending.lentShares),
    ...unequal("shares in what is borrowed", debtShares, lending.debtShares),
  ];
}

function marketsOf({ sizes, longs }: Sums, { markets }: HouseState): Mismatch[] {
  return [...markets].flatMap(([market, { openInterest }]) => [
    ...unequal(`size of all positions in market ${market}`, sizes.get(market) ?? 0n, 0n),
    ...unequal(`open interest of market ${market}`, longs.get(market) ?? 0n, openInterest),
  ]);
}

async function chainOf(sums: Sums, { house, head: blockTag, book, clearingHouse, provider }: Reconciled) {
  const pools = [...house.markets.values()].reduce((sum, { pool }) => sum + pool, 0n);
  // Vault = Σ cash + lent + reserves − borrowed + Σ pools. Before anything is awaited: the sums go on.
  const owed = sums.cash + liquidity(house.lending) + pools;
  const mirrored = new Map(sums.collaterals);
  const [engine, oracle, cash, ...collaterals] = await Promise.all([
    clearingHouse.riskEngine({ blockTag }),
    clearingHouse.priceOracle({ blockTag }),
    balanceOf(provider, book.cash.token, book.contracts.vault, blockTag),
    ...book.collaterals.map(async ({ id, token }) => ({
      total: await clearingHouse.collateralTotal(id, { blockTag }),
      held: await balanceOf(provider, token, book.contracts.vault, blockTag),
    })),
  ]);
  return [
    ...unequal("risk engine", book.contracts.riskEngine, engine),
    ...unequal("price oracle", book.contracts.priceOracle, oracle),
    ...uncovered(book.cash.symbol, fromWadDown(owed, book.cash.decimals), cash),
    ...book.collaterals.flatMap(({ id, symbol, decimals }, i) => {
      const [sum, { total = 0n, held = 0n } = {}] = [mirrored.get(id) ?? 0n, collaterals[i]];
      return [
        ...unequal(`${symbol} of all accounts`, sum, total),
        ...uncovered(symbol, fromWadDown(sum, decimals), held),
      ];
    }),
  ];
}

async function balanceOf(provider: Provider, token: string, owner: string, blockTag: number): Promise<bigint> {
  const data = erc20.encodeFunctionData("balanceOf", [owner]);
  const [balance] = erc20.decodeFunctionResult("balanceOf", await provider.call({ to: token, data, blockTag }));
  return balance as bigint;
}

function unequal<T extends bigint | string>(what: string, mirrored: T, onChain: T): Mismatch[] {
  return mirrored === onChain ? [] : [{ what, mirrored, onChain }];
}

function uncovered(symbol: string, owed: bigint, held: bigint): Mismatch[] {
  return owed <= held ? [] : [{ what: `${symbol} in the vault`, mirrored: owed, onChain: held }];
}

function add(sums: Map<number, bigint>, key: number, amount: bigint): void {
  sums.set(key, (sums.get(key) ?? 0n) + amount);
}
