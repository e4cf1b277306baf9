import type { AccountOrders, BookOrder } from "./bookOrder.ts";
import { HashTable, hashOf } from "./hashTable.ts";
import type { Hashed } from "./hashTable.ts";

/** All orders of one nonce of an account: they share one filled amount, so that one cancels the other. Amounts are [wad]. */
export class Slot implements Hashed<Slot> {
  readonly hashCode: number;
  readonly account: AccountOrders;
  readonly nonce: bigint;
  twin: Slot | undefined;
  place = 0; // among the slots of its account
  chain: bigint; // filled amount on the chain
  pending = 0n; // filled here and not settled yet
  fills = 0; // that are not settled yet
  first: BookOrder | undefined; // of those that are live; most nonces have one order, so they are linked and need no array

  constructor(account: AccountOrders, nonce: bigint, chain: bigint) {
    this.hashCode = hashCodeOf(account, nonce);
    this.account = account;
    this.nonce = nonce;
    this.chain = chain;
  }

  /** Whether several orders of this nonce are live. */
  get isShared(): boolean {
    return this.first?.sibling !== undefined;
  }

  /** Its live orders, first come first. */
  get orders(): BookOrder[] {
    const orders = this.first === undefined ? [] : [this.first];
    for (let order = this.first?.sibling; order !== undefined; order = order.sibling) orders.push(order);
    return orders;
  }

  add(order: BookOrder): void {
    let last = this.first;
    if (last === undefined) this.first = order;
    else {
      while (last.sibling !== undefined) last = last.sibling;
      last.sibling = order;
    }
  }

  remove(order: BookOrder): void {
    if (this.first === order) this.first = order.sibling;
    else {
      let before = this.first;
      while (before !== undefined && before.sibling !== order) before = before.sibling;
      if (before !== undefined) before.sibling = order.sibling;
    }
    order.sibling = undefined;
  }
}

/** The slots of all accounts by nonce. */
export class Slots {
  readonly #table = new HashTable<Slot>();

  get(account: AccountOrders, nonce: bigint): Slot | undefined {
    let slot = this.#table.first(hashCodeOf(account, nonce));
    while (slot !== undefined && (slot.account !== account || slot.nonce !== nonce)) slot = slot.twin;
    return slot;
  }

  /** Adds a slot of a nonce that has none. */
  add(slot: Slot): void {
    slot.place = slot.account.slots.push(slot) - 1;
    this.#table.add(slot);
  }

  remove(slot: Slot): void {
    this.#table.remove(slot);
    const { slots } = slot.account;
    const last = slots.pop();
    if (last === undefined || last === slot) return;
    slots[slot.place] = last;
    last.place = slot.place;
  }
}

function hashCodeOf({ salt }: AccountOrders, nonce: bigint): number {
  return hashOf(salt + Number(BigInt.asUintN(32, nonce)));
}
