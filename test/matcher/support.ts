import { hash as digest } from "node:crypto";

import { expect } from "chai";

import type { Signer } from "ethers";

import { accountId } from "../../src/sdk/accountId.ts";
import { signOrder } from "../../src/sdk/orders.ts";
import type { Order } from "../../src/sdk/orders.ts";
import { parsePrice, parseWad } from "../../src/sdk/units.ts";
import type { Admission, AdmissionPolicy } from "../../src/matcher/admission.ts";
import type { BookLimits, OrderBook } from "../../src/matcher/book.ts";
import { lastSecondOf } from "../../src/matcher/bookOrder.ts";
import { Engine } from "../../src/matcher/engine.ts";
import type { Applied } from "../../src/matcher/engine.ts";
import { Refusal } from "../../src/matcher/refusals.ts";
import type { Command, EngineEvent, MarketTerms, PlaceCommand } from "../../src/matcher/types.ts";

export const LIMITS: BookLimits = { maxFills: 500, maxWholeFills: 500, maxClosed: 10_000 };
export const NOW = 1_700_000_000_000; // [ms]
export const SECOND = NOW / 1000;

/** The exchange that orders are signed for. */
export const VENUE = { chainId: 31337, contracts: { exchange: "0x00000000000000000000000000000000000000E1" } };
export const POLICY: AdmissionPolicy = {
  ...{ maxLifetime: 3600, maxDistance: 200_000n, maxOpenOrders: 50, maxPerNonce: 2, maxTotalOrders: 50 },
  ...{ ownerRate: { perSecond: 1, burst: 50 }, stampWindow: 30_000 },
};

/** Two markets at 2,000 with a band of 0.5 % and a smallest fill of 0.01. */
export const TERMS: MarketTerms[] = [0, 1].map((market) => ({
  market,
  index: parsePrice("2000"),
  priceBand: 5000n,
  minFill: parseWad("0.01"),
}));

/** The main account of a made-up owner. */
export const accountOf = (owner: number, serial = 0): bigint =>
  accountId(`0x${(owner + 1).toString(16).padStart(40, "0")}`, serial);
export const ownerOf = (owner: number): string => `0x${(owner + 1).toString(16).padStart(40, "0")}`;

let nonces = 0n;

/** A command that places an order; human size (positive buys) and price. */
export function place(
  owner: number,
  size: string,
  price: string,
  fields: Partial<Order> = {},
  facts: { filled?: string; position?: string; time?: number } = {},
): PlaceCommand {
  const order: Order = {
    account: accountOf(owner),
    market: 0n,
    size: parseWad(size),
    limitPrice: parsePrice(price),
    triggerAbove: 0n,
    triggerBelow: 0n,
    executionFee: 0n,
    expiry: BigInt(SECOND + 3600),
    nonce: ++nonces,
    epoch: 0n,
    resting: true,
    postOnly: false,
    reduceOnly: false,
    fillOrKill: false,
    ...fields,
  };
  return placeOrder(order, facts);
}

export function placeOrder(
  order: Order,
  { filled = "0", position = "0", time = NOW }: { filled?: string; position?: string; time?: number } = {},
): PlaceCommand {
  const text = Object.values(order).join(":");
  const hash = `0x${digest("sha256", text)}`;
  const signed = { order, signature: "0x" };
  return { type: "place", time, hash, signed, filled: parseWad(filled), position: parseWad(position), deadMan: 0 };
}

/** Signs an order and has it admitted; it buys one unit at 2,000 and rests unless `fields` say otherwise. */
export async function admit(
  admission: Admission,
  signer: Signer,
  account: bigint,
  fields: Partial<Order> = {},
): Promise<PlaceCommand> {
  const terms = { account, expiry: BigInt(SECOND + 60), ...fields };
  const { order } = place(0, "1", "2000", terms).signed;
  return admission.admit({ order, signature: await signOrder(signer, VENUE, order) }, NOW);
}

/** The refusal that something ends in. */
export async function refusal(action: Promise<unknown>): Promise<Refusal> {
  const thrown: unknown = await action.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).to.be.instanceOf(Refusal);
  return thrown as Refusal;
}

/** A chain command with these facts. */
export function facts(fields: Partial<Extract<Command, { type: "chain" }>>): Command {
  return {
    ...{ type: "chain", time: NOW, block: 1, blockHash: "0x", markets: [], slots: [], positions: [], owners: [] },
    settled: [],
    ...fields,
  };
}

/** An engine that knows both markets. */
export function newEngine(limits: BookLimits = LIMITS): Engine {
  const engine = new Engine(limits);
  engine.apply(facts({ markets: TERMS }));
  return engine;
}

/** What a command did, in words. */
export function tell({ events }: Pick<Applied, "events">): string[] {
  return events.map(describeEvent);
}

export function describeEvent(event: EngineEvent): string {
  switch (event.type) {
    case "accepted":
      return `accepted ${event.order}`;
    case "rejected":
      return `rejected ${event.order} ${event.reason}`;
    case "rested":
      return `rested ${event.order} ${event.remaining}`;
    case "held":
      return `held ${event.order} ${event.reason} ${event.remaining}`;
    case "released":
      return `released ${event.order}`;
    case "filled":
      return `filled ${event.maker} ${event.taker} ${event.size} ${event.price}`;
    case "cancelled":
      return `cancelled ${event.order} ${event.reason} ${event.remaining}`;
    case "expired":
      return `expired ${event.order} ${event.remaining}`;
    case "settled":
      return `settled ${event.fill} ${event.size}`;
    case "failed":
      return `failed ${event.fill}`;
  }
}

/** Asserts everything that has to hold between two commands. */
export function checkBook(book: OrderBook): void {
  let held = 0;
  for (const { id, bids, asks } of book.markets.values()) {
    const [bid, ask] = [bids.best?.price, asks.best?.price];
    if (bid !== undefined && ask !== undefined)
      expect(bid < ask, `OB-4 market ${id} is crossed at rest`).to.equal(true);
    for (const side of [bids, asks]) {
      for (const level of side.depth(Infinity)) {
        let [size, count, arrival] = [0n, 0, 0];
        for (let order = level.first; order !== undefined; order = order.next) {
          expect(order.arrival > arrival, "OB-4 first come first").to.equal(true);
          expect(order.open > 0n && order.state === "open").to.equal(true);
          expect(order.lastSecond, "OB-1 ends in time").to.equal(lastSecondOf(order));
          [size, count, arrival] = [size + order.open, count + 1, order.arrival];
        }
        expect([size, count]).to.deep.equal([level.size, level.count]);
      }
    }
  }
  for (const { slots, open, fills } of book.accounts.values()) {
    let count = 0;
    for (const { orders, pending, fills: waiting } of slots.values()) {
      count += orders.length;
      for (const order of orders) {
        const isHeld = order.held !== undefined;
        expect([order.level === undefined, order.market.stops.has(order)], "held or in the book").to.deep.equal([
          isHeld,
          isHeld,
        ]);
        if (isHeld) expect(order.lastSecond, "OB-1 ends in time").to.equal(lastSecondOf(order));
        held += isHeld ? 1 : 0;
      }
      expect(waiting > 0 || pending === 0n).to.equal(true);
      for (const { size, filled } of orders) expect(filled <= size, "OB-1 never more than the order").to.equal(true);
    }
    expect(open).to.equal(count);
    for (const fill of fills) expect(book.fills.get(fill.id)).to.equal(fill);
  }
  expect(book.heldCount, "no order is held that is not live").to.equal(held);
  expect([...book.accounts.values()].reduce((sum, { open }) => sum + open, 0)).to.equal(book.openCount);
}
