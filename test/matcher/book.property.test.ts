import { expect } from "chai";
import fc from "fast-check";

import { Engine } from "../../src/matcher/engine.ts";
import { decode, encode } from "../../src/matcher/types.ts";
import type { Command, KeyFact } from "../../src/matcher/types.ts";
import { parsePrice } from "../../src/sdk/units.ts";
import { NaiveBook } from "./naive.ts";
import {
  accountOf,
  checkBook,
  facts,
  LIMITS,
  newEngine,
  NOW,
  ownerOf,
  placeOrder,
  SECOND,
  tell,
  TERMS,
} from "./support.ts";

const TICK = parsePrice("1");
const CENT = 10n ** 16n; // smallest fill
const SEED = Number(process.env.FUZZ_SEED ?? "20177");

interface Step {
  readonly kind: number;
  readonly owner: number;
  readonly serial: number;
  readonly market: number;
  readonly cents: number;
  readonly price: number;
  readonly nonce: number;
  readonly flags: number;
  readonly life: number;
  readonly pick: number;
  readonly signer: number;
  readonly trigger: number;
  readonly triggers: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.nat(99),
  owner: fc.nat(4),
  serial: fc.nat(1),
  market: fc.nat(9),
  cents: fc.integer({ min: -12, max: 12 }),
  price: fc.integer({ min: -14, max: 14 }),
  nonce: fc.nat(400),
  flags: fc.nat(15),
  life: fc.integer({ min: -1, max: 400 }),
  pick: fc.nat(1 << 20),
  signer: fc.nat(5),
  trigger: fc.integer({ min: -14, max: 14 }),
  triggers: fc.nat(5),
});

/** Two session keys that every owner has granted, one below the other; prices lie within 0.7 % of the index. */
const KEYS: KeyFact[] = [
  { key: `0x${"a".repeat(40)}`, above: [], expiry: SECOND + 120, priceBand: 3000n },
  { key: `0x${"b".repeat(40)}`, above: [`0x${"a".repeat(40)}`], expiry: SECOND + 80, priceBand: 1000n },
];
const DEAD_MAN = SECOND + 100; // of the last owner

/** An order of random terms; many of one nonce, many that cross. */
function orderOf(s: Step, time: number) {
  const { owner, serial, market, cents, price, nonce, flags, life, signer } = s;
  const kind = flags % 8;
  const key = KEYS[signer];
  const command = placeOrder(
    {
      account: accountOf(owner, serial),
      market: market === 0 ? 1n : 0n,
      size: BigInt(cents === 0 ? 1 : cents) * CENT - (flags === 15 && cents > 1 ? CENT / 2n : 0n),
      limitPrice: parsePrice("2000") + BigInt(price) * TICK,
      ...(kind < 5 ? { triggerAbove: 0n, triggerBelow: 0n } : triggersOf(s)),
      executionFee: 0n,
      expiry: BigInt(Math.floor(time / 1000) + life),
      nonce: BigInt(nonce),
      epoch: 0n,
      resting: kind < 5,
      postOnly: kind === 4,
      reduceOnly: flags >= 12,
      fillOrKill: kind === 7,
    },
    { time },
  );
  return { ...command, deadMan: owner === 4 ? DEAD_MAN : 0, ...(key !== undefined && { key }) };
}

/** Half of what does not rest waits for a price: one at or above, at or below, or between two. */
function triggersOf({ trigger, triggers }: Step) {
  const price = parsePrice("2000") + BigInt(trigger) * TICK;
  const isAbove = triggers === 0 || triggers === 2;
  const isBelow = triggers === 1 || triggers === 2;
  return { triggerAbove: isAbove ? price : 0n, triggerBelow: isBelow ? price + (isAbove ? 2n * TICK : 0n) : 0n };
}

/** The first market with another index price, sometimes none. */
function moved({ price, flags }: Step) {
  return { ...TERMS[0]!, index: flags === 1 ? 0n : parsePrice("2000") + BigInt(price) * TICK };
}

describe("order book against a model", () => {
  it("OB-4 does what a naive book does: 60,000 random commands", () => {
    let [released, filled] = [0, 0];
    fc.assert(
      fc.property(fc.array(step, { minLength: 400, maxLength: 400 }), (steps) => {
        const engine = newEngine();
        const naive = new NaiveBook(TERMS);
        const hashes: string[] = [];
        let time = NOW;
        for (const s of steps) {
          if (s.kind >= 98) time += s.life * 100;
          time = Math.max(time, engine.time);
          naive.expire(time);
          if (s.kind < 73) {
            const command = orderOf(s, time);
            const { account, market } = command.signed.order;
            const known = engine.book.accounts.get(account);
            const chain = known?.positions.get(Number(market));
            const position = (naive.positions.get(`${account}:${market}`) ?? 0n) - (chain?.pending ?? 0n);
            const slot = known && engine.book.slots.get(known, command.signed.order.nonce);
            const used = naive.used.get(`${account}:${command.signed.order.nonce}`) ?? 0n;
            const applied = engine.apply({ ...command, position, filled: used - (slot?.pending ?? 0n) });
            hashes.push(command.hash);
            naive.place(command);
            expectSame(tell(applied), naive.log);
          } else if (s.kind < 86) {
            const terms = moved(s);
            const applied = engine.apply(facts({ time, markets: [terms] }));
            naive.setIndex(0, terms.index);
            released += applied.events.filter(({ type }) => type === "released").length;
            filled += applied.events.filter(({ type }) => type === "filled").length;
            expectSame(tell(applied), naive.log);
          } else if (s.kind < 97) {
            const hash = hashes[s.pick % Math.max(1, hashes.length)] ?? "0x";
            const applied = engine.apply({ type: "cancel", time, hash, reason: "requested" });
            naive.cancel(hash, "requested");
            expectSame(tell(applied), naive.log);
          } else {
            const applied = engine.apply({ type: "cancelMany", time, owner: ownerOf(s.owner), stamp: time });
            naive.cancelOwner(accountOf(s.owner) >> 96n, "massCancelled");
            expectSame(tell(applied), naive.log);
          }
          naive.log = [];
          compare(engine, naive);
        }
      }),
      { numRuns: 150, seed: SEED, endOnFailure: true },
    );
    expect(
      [released > 500, filled > 100],
      `index prices release ${released} orders, with ${filled} fills`,
    ).to.deep.equal([...[true, true]]);
  });

  it("OB-1 OB-4 keeps its promises and its hash through settlements, refusals and snapshots: 60,000 random commands", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 400, maxLength: 400 }), (steps) => {
        const engine = newEngine();
        const commands: Command[] = [facts({ markets: TERMS })];
        let copy: Engine | undefined;
        let time = NOW;
        steps.forEach((s, i) => {
          if (s.kind >= 97) time += s.life * 100;
          time = Math.max(time, engine.time);
          const command = randomCommand(engine, s, time);
          commands.push(command);
          const applied = engine.apply(command);
          if (command.type === "place" && applied.rejected === undefined) {
            expect(applied.events.some(({ type }) => type === "accepted")).to.equal(true);
          }
          if (i % 10 === 0) checkBook(engine.book);
          if (i === 200) copy = Engine.restore(engine.dump(), LIMITS);
          else if (i > 200) copy?.apply(command);
        });
        checkBook(engine.book);
        const again = new Engine(LIMITS);
        for (const command of commands) again.apply(decode(encode(command)) as Command);
        expect(again.hash.toString("hex"), "OB-4 same commands, same hash").to.equal(engine.hash.toString("hex"));
        expect(copy?.hash.toString("hex"), "a snapshot continues alike").to.equal(engine.hash.toString("hex"));
        expect(copy?.dump()).to.equal(engine.dump());
      }),
      { numRuns: 150, seed: SEED, endOnFailure: true },
    );
  });
});

function randomCommand(engine: Engine, s: Step, time: number): Command {
  const { book } = engine;
  const waiting = [...book.fills.values()];
  const fill = waiting[s.pick % Math.min(3, waiting.length || 1)];
  if (s.kind < 55 || (fill === undefined && s.kind < 80)) {
    const command = orderOf(s, time);
    const known = book.accounts.get(command.signed.order.account);
    const position = known?.positions.get(Number(command.signed.order.market))?.chain ?? BigInt(s.cents) * CENT;
    return { ...command, position, filled: (known && book.slots.get(known, command.signed.order.nonce))?.chain ?? 0n };
  }
  if (fill !== undefined && s.kind < 70) {
    const { maker, taker, size } = fill;
    const slots = [maker, taker].map(({ account, slot }) => ({
      ...{ account: account.id, nonce: slot.nonce, filled: slot.chain + size },
    }));
    const positions = [maker, taker].map(({ account, buys }) => ({
      account: account.id,
      market: fill.market,
      size: (account.positions.get(fill.market)?.chain ?? 0n) + (buys ? size : -size),
    }));
    return facts({ time, slots, positions, settled: [{ fill: fill.id, size, transaction: "0x1" }] });
  }
  if (fill !== undefined && s.kind < 80) {
    const isStop = fill.taker.signed.order.triggerAbove + fill.taker.signed.order.triggerBelow > 0n;
    const fault = isStop && s.flags < 8 ? "trigger" : (["maker", "taker", "both", "neither"] as const)[s.flags % 4]!;
    const { key, account } = s.flags < 4 ? fill.taker : fill.maker;
    const keyEnd = key !== undefined &&
      s.life < 100 && { key: key.address, account: account.id, reason: "keyFloor" as const };
    return { type: "fail", time, fills: [{ fill: fill.id, reason: "refused", fault, ...(keyEnd && { keyEnd }) }] };
  }
  const orders = [...book.orders.values()];
  const order = orders[s.pick % Math.max(1, orders.length)];
  if (s.kind < 84 && order !== undefined) {
    const filled = s.flags === 0 ? (1n << 256n) - 1n : order.slot.chain + CENT;
    return facts({ time, slots: [{ account: order.account.id, nonce: order.slot.nonce, filled }] });
  }
  if (s.kind < 88 && order !== undefined) {
    const size = BigInt(s.cents) * CENT;
    return facts({ time, positions: [{ account: order.account.id, market: order.market.id, size }] });
  }
  if (s.kind < 90) return { type: "heartbeat", time, owner: ownerOf(s.owner), timeout: s.pick % 9000, stamp: time };
  if (s.kind < 92)
    return facts({
      time,
      owners: [
        {
          ...{ owner: ownerOf(s.owner), epoch: 0n, lowestNonce: BigInt(s.nonce >> 2), lockedDown: s.flags === 2 },
          ...news(s, time),
        },
      ],
    });
  if (s.kind < 93) return facts({ time, markets: [moved(s)] });
  if (s.kind < 95)
    return { type: "cancelMany", time, owner: ownerOf(s.owner), belowNonce: BigInt(s.nonce), stamp: time };
  return { type: "cancel", time, hash: order?.hash ?? "0x", reason: "requested" };
}

/** A dead-man switch and a key that are granted anew. */
function news({ signer, life }: Step, time: number): { deadMan: number; keys: KeyFact[] } {
  const second = Math.floor(time / 1000) + life;
  const key = KEYS[signer % 2]!;
  return { deadMan: signer > 3 ? second : 0, keys: [{ ...key, expiry: second, priceBand: BigInt(life + 1) * 10n }] };
}

function compare({ book }: Engine, naive: NaiveBook): void {
  for (const { id, bids, asks } of book.markets.values()) {
    for (const [side, buys] of [[bids, true] as const, [asks, false] as const]) {
      const found: string[] = [];
      for (const level of side.depth(Infinity)) {
        for (let order = level.first; order !== undefined; order = order.next)
          found.push(`${order.hash} ${order.open}`);
      }
      const expected = naive.side(id, buys).map((order) => `${order.command.hash} ${naive.open(order)}`);
      expect(found).to.deep.equal(expected);
    }
  }
  expect(book.openCount).to.equal(naive.orders.length);
  const held = [...book.orders.values()].flatMap(({ hash, held: reason }) => (reason ? [`${hash} ${reason}`] : []));
  const expected = naive.orders.flatMap((one) => (one.held ? [`${one.command.hash} ${one.held}`] : []));
  expect(held.sort()).to.deep.equal(expected.sort());
}

/** Both lists in any order; a difference is shown in readable words. */
function expectSame(found: readonly string[], expected: readonly string[]): void {
  const [a, b] = [found, expected].map((lines) => [...lines].sort().map(readable).join("\n"));
  expect(a === b, `found\n${a}\nexpected\n${b}`).to.equal(true);
}

function readable(line: string): string {
  return line.replace(/0x([0-9a-f]{40,})/g, (_, hex: string) => Buffer.from(hex, "hex").toString());
}
