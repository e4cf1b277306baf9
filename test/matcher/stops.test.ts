import { expect } from "chai";

import { InvalidMatcherConfig, parseMatcherConfig } from "../../src/matcher/config.ts";
import { Engine } from "../../src/matcher/engine.ts";
import { feesOf } from "../../src/matcher/fees.ts";
import { faultOf } from "../../src/matcher/settlement.ts";
import { orderView } from "../../src/matcher/views.ts";
import type { Order } from "../../src/sdk/orders.ts";
import { formatWad, parsePrice, parseWad } from "../../src/sdk/units.ts";
import { accountOf, checkBook, facts, LIMITS, newEngine, NOW, ownerOf, place, SECOND, TERMS } from "./support.ts";

describe("orders with a trigger", () => {
  let engine: Engine;
  beforeEach(() => {
    engine = newEngine();
  });
  afterEach(() => {
    checkBook(engine.book);
  });

  const rest = (owner: number, size: string, price: string, fields: Partial<Order> = {}): string => {
    const command = place(owner, size, price, fields);
    engine.apply(command);
    return command.hash;
  };

  /** Sells once the index price is at or below `trigger`, at 1,900 or better; closes a position of that size. */
  const stop = (owner: number, size: string, trigger: string, fields: Partial<Order> = {}): string => {
    const terms = { resting: false, reduceOnly: true, triggerBelow: parsePrice(trigger), ...fields };
    const command = place(owner, `-${size}`, "1900", terms, { position: size });
    engine.apply(command);
    return command.hash;
  };

  /** Buys once the index price is at or above `trigger`, at 2,100 or better. */
  const above = (owner: number, size: string, trigger: string, fields: Partial<Order> = {}): string => {
    const command = place(owner, size, "2100", { resting: false, triggerAbove: parsePrice(trigger), ...fields });
    engine.apply(command);
    return command.hash;
  };

  const priceIs = (price: string) =>
    engine.apply(facts({ time: engine.time, markets: [{ ...TERMS[0]!, index: parsePrice(price) }] }));
  const fail = (fill: number, fault: "maker" | "taker" | "trigger") =>
    engine.apply({ type: "fail", time: engine.time, fills: [{ fill, reason: `Refused(${fault})`, fault }] });
  const settle = (fill: number) => {
    const { maker, taker, size } = engine.book.fills.get(fill)!;
    const slots = [maker, taker].map(({ account, slot }) => ({
      ...{ account: account.id, nonce: slot.nonce, filled: slot.chain + size },
    }));
    const positions = [maker, taker].map(({ account, buys }) => ({
      ...{ account: account.id, market: 0 },
      size: (account.positions.get(0)?.chain ?? 0n) + (buys ? size : -size),
    }));
    const settled = [{ fill, size, transaction: "0x1" }];
    engine.apply(facts({ time: engine.time, slots, positions, settled }));
  };
  const tellOf = (hash: string): string => {
    const { state, reason } = orderView(engine.book.orders.get(hash)!);
    return reason === undefined ? state : `${state} ${reason}`;
  };
  const fills = () =>
    [...engine.book.fills.values()].map(({ taker, price }) => [taker.account.id, formatWad(price)] as const);

  it("OB-1 are held outside the book, count as open, and are released by the price that they name, first come first", () => {
    const first = stop(1, "1", "1990");
    const second = stop(2, "1", "1995");
    const third = stop(3, "1", "1989.99");
    const { book } = engine;
    expect([book.openCount, book.heldCount, book.accounts.get(accountOf(1))!.open]).to.deep.equal([3, 3, 1]);
    expect(book.markets.get(0)!.asks.best, "no depth").to.equal(undefined);
    expect(orderView(book.orders.get(first)!)).to.deep.include({
      ...{ state: "held", reason: "untriggered", open: "1", triggerBelow: "1990", triggerAbove: "0" },
    });
    rest(0, "1", "1989");
    rest(0, "1", "1988");
    priceIs("1995.01");
    expect(fills()).to.deep.equal([]);
    const { events } = priceIs("1990"); // both reach it at once: the trigger of the first is the lower one
    expect(fills()).to.deep.equal([
      [accountOf(1), "1989"],
      [accountOf(2), "1988"],
    ]);
    expect(events.map(({ type }) => type)).to.deep.equal(["released", "filled", "released", "filled"]);
    expect([first, second, third].map(tellOf)).to.deep.equal(["filled", "filled", "held untriggered"]);
  });

  it("OB-1 wait for a price above, or between two, and jump none of them", () => {
    const one = above(1, "1", "2010");
    const between = above(2, "1", "2010", { triggerBelow: parsePrice("2020") });
    priceIs("2009.99");
    expect([one, between].map(tellOf)).to.deep.equal(["held untriggered", "held untriggered"]);
    priceIs("2030");
    expect([one, between].map(tellOf)).to.deep.equal(["held nothingToTake", "held untriggered"]);
    priceIs("2020");
    expect(tellOf(between)).to.equal("held nothingToTake");
    expect(tellOf(above(3, "1", "2020"))).to.equal("held nothingToTake");
    engine.apply(facts({ markets: [{ ...TERMS[0]!, index: 0n }] }));
    const below = stop(4, "1", "1990");
    engine.apply(facts({ markets: [{ ...TERMS[0]!, index: 0n, minFill: 1n }] }));
    expect(tellOf(below), "no price is not a low one").to.equal("held untriggered");
  });

  it("OB-4 what finds too little takes what comes to rest, at its price, as long as the index price allows it", () => {
    const hash = stop(1, "3", "1990");
    priceIs("1990");
    expect(tellOf(hash)).to.equal("held nothingToTake");
    const maker = rest(2, "1", "1985", { postOnly: true });
    expect(fills()).to.deep.equal([[accountOf(1), "1985"]]);
    expect(tellOf(maker)).to.equal("filled");
    expect(orderView(engine.book.orders.get(hash)!)).to.deep.include({ state: "held", filled: "1", open: "2" });
    rest(2, "1", "1979"); // beyond the band of 0.5 %: 1,980.05
    expect(fills()).to.have.length(1);
    priceIs("1989"); // the band moves with the price: 1,979.055
    expect(fills()).to.have.length(1);
    priceIs("1988");
    expect(fills().at(-1)).to.deep.equal([accountOf(1), "1979"]);
    priceIs("1991");
    rest(2, "1", "1990");
    expect(fills()).to.have.length(2);
    expect(tellOf(hash)).to.equal("held untriggered");
    priceIs("1990");
    expect(fills().at(-1)).to.deep.equal([accountOf(1), "1990"]);
    expect(tellOf(hash)).to.equal("filled");
  });

  it("OB-4 of those that wait for something to take the best limit is served first, then who came first", () => {
    above(1, "1", "2000");
    above(2, "1", "2000", { limitPrice: parsePrice("2101") });
    above(3, "1", "2000");
    rest(0, "-2", "2001");
    expect(fills().map(([account]) => account)).to.deep.equal([accountOf(2), accountOf(1)]);
  });

  it("fill-or-kill ones are killed if they cannot be filled whole when they are released", () => {
    rest(0, "1", "1989");
    const killed = stop(1, "2", "1990", { fillOrKill: true });
    const whole = stop(2, "1", "1990", { fillOrKill: true });
    priceIs("1990");
    expect([killed, whole].map(tellOf)).to.deep.equal(["cancelled fillOrKill", "filled"]);
  });

  it("OB-1 a bracket: one leg ends the other once it is settled, and gives it back if it fails", () => {
    const bracket = { nonce: 9_000_001n, account: accountOf(1) };
    const loss = stop(1, "2", "1990", bracket);
    const profit = stop(1, "2", "1990", {
      ...bracket,
      triggerBelow: 0n,
      triggerAbove: parsePrice("2010"),
      limitPrice: parsePrice("2005"),
    });
    rest(0, "2", "1989");
    priceIs("1990");
    expect([loss, profit].map(tellOf)).to.deep.equal(["filled", "held untriggered"]);
    expect(engine.book.orders.get(profit)!.open, "there is nothing left of the size that they share").to.equal(0n);
    fail(1, "trigger");
    expect([loss, profit].map(tellOf)).to.deep.equal(["held priceWentBack", "held untriggered"]);
    rest(3, "2", "2006");
    priceIs("2010");
    expect([loss, profit].map(tellOf)).to.deep.equal(["held priceWentBack", "filled"]);
    settle(2);
    expect([loss, profit].map(tellOf)).to.deep.equal(["cancelled nonceFilled", "filled"]);
    expect([engine.book.heldCount, engine.book.accounts.get(accountOf(1))]).to.deep.equal([0, undefined]);
  });

  it("OB-2 is held again if the price has gone back, three times at most, and nobody else is blamed", () => {
    const hash = stop(1, "1", "1990");
    const maker = rest(0, "5", "1989");
    for (let round = 1; round <= 3; ++round) {
      priceIs("1990");
      expect(tellOf(hash)).to.equal("filled");
      priceIs("1991"); // as the matcher reads the chain before it gives up a fill
      fail(round, "trigger");
      expect(engine.book.orders.get(maker)).to.deep.include({ failures: 0, open: parseWad("5"), filled: 0n });
      expect(tellOf(hash)).to.equal(round < 3 ? "held priceWentBack" : "cancelled priceWentBack");
    }
    expect(engine.book.orders.get(hash)!.detail).to.equal("Refused(trigger)");
    const again = stop(2, "1", "1990");
    priceIs("1989");
    fail(4, "trigger"); // the price that the book knows still reaches it
    expect(tellOf(again), "only another price releases it").to.equal("held priceWentBack");
    rest(0, "1", "1989");
    expect(engine.book.fills.size).to.equal(0);
    priceIs("1988");
    expect(tellOf(again)).to.equal("filled");
  });

  it("OB-2 a fill-or-kill order whose fills fail together is held whole and has failed once", () => {
    rest(0, "1", "1989");
    rest(3, "1", "1988");
    const hash = stop(1, "2", "1990", { fillOrKill: true });
    priceIs("1990");
    priceIs("1991");
    engine.apply({
      ...{ type: "fail", time: NOW },
      fills: [1, 2].map((fill) => ({ fill, reason: "Refused()", fault: "trigger" as const })),
    });
    expect(tellOf(hash)).to.equal("held priceWentBack");
    expect(engine.book.orders.get(hash)).to.deep.include({ failures: 1, open: parseWad("2"), filled: 0n });
    priceIs("1990");
    expect(fills().map(([, price]) => price)).to.deep.equal(["1989", "1988"]);
  });

  it("OB-2 takes the next one if the chain refuses its maker", () => {
    const bad = rest(0, "1", "1989");
    rest(2, "1", "1988");
    const hash = stop(1, "1", "1990");
    priceIs("1990");
    fail(1, "maker");
    expect([bad, hash].map(tellOf)).to.deep.equal(["cancelled settlementFailed", "filled"]);
    expect(fills()).to.deep.equal([[accountOf(1), "1988"]]);
    fail(2, "taker");
    expect(tellOf(hash)).to.equal("cancelled settlementFailed");
  });

  it("OB-2 the contract's error says that the price has gone back", () => {
    rest(0, "1", "1989");
    stop(1, "1", "1990");
    priceIs("1990");
    const [fill] = [...engine.book.fills.values()];
    const args = { account: accountOf(1), nonce: fill!.taker.slot.nonce, indexPrice: parsePrice("1991") };
    expect(faultOf({ name: "OrderNotTriggered", args }, fill!)).to.equal("trigger");
  });

  it("OB-1 REV-1 expire, die with a heartbeat or a key, and are cancelled by hash, by nonce, all and on the chain", () => {
    const key = { key: `0x${"a".repeat(40)}`, above: [], expiry: SECOND + 5, priceBand: 10n ** 6n };
    const cancel = (hash: string) => engine.apply({ type: "cancel", time: NOW, hash, reason: "requested" });
    const many = (fields: { account?: bigint; belowNonce?: bigint }, stamp: number) =>
      engine.apply({ type: "cancelMany", time: NOW, owner: ownerOf(1), stamp, ...fields });
    const byHash = stop(1, "1", "1990");
    cancel(byHash);
    const byNonce = stop(1, "1", "1990", { nonce: 5n });
    many({ belowNonce: 6n }, 1);
    const all = stop(1, "1", "1990");
    many({}, 2);
    const onChain = stop(1, "1", "1990", { nonce: 7n });
    engine.apply(facts({ slots: [{ account: accountOf(1), nonce: 7n, filled: (1n << 256n) - 1n }] }));
    const epoch = stop(1, "1", "1990");
    engine.apply(
      facts({ owners: [{ owner: ownerOf(1), epoch: 1n, lowestNonce: 0n, deadMan: 0, lockedDown: false, keys: [] }] }),
    );
    const closed = stop(1, "1", "1990");
    engine.apply(facts({ positions: [{ account: accountOf(1), market: 0, size: 0n }] }));
    const ofKey = place(1, "1", "2100", { resting: false, triggerAbove: parsePrice("2010") });
    engine.apply({ ...ofKey, key });
    const expiring = stop(2, "1", "1990", { expiry: BigInt(SECOND + 1) });
    const silent = stop(3, "1", "1990");
    const dead = stop(4, "1", "1990");
    engine.apply({ type: "heartbeat", time: NOW, owner: ownerOf(3), timeout: 1000, stamp: 1 });
    engine.apply(
      facts({
        owners: [{ owner: ownerOf(4), epoch: 0n, lowestNonce: 0n, deadMan: SECOND + 2, lockedDown: false, keys: [] }],
      }),
    );
    checkBook(engine.book);
    expect(engine.nextDue).to.equal(NOW + 1000);
    engine.apply({ type: "tick", time: NOW + 10_000 });
    const ended = [byHash, byNonce, all, onChain, epoch, closed, ofKey.hash, expiring, silent, dead];
    expect(ended.map(tellOf)).to.deep.equal([
      ...["cancelled requested", "cancelled massCancelled", "cancelled massCancelled", "cancelled cancelledOnChain"],
      ...["cancelled epochOver", "cancelled nothingToReduce", "cancelled keyExpired", "expired", "cancelled deadMan"],
      ...["cancelled ownerSilent"],
    ]);
    expect([engine.book.openCount, engine.book.heldCount, engine.nextDue]).to.deep.equal([0, 0, Infinity]);
  });

  it("OB-4 a price costs no look at what it does not release", () => {
    for (let i = 0; i < 20_000; ++i) {
      stop(i % 1000, "1", `${1989 - (i % 500)}.5`);
      above(i % 1000, "1", `${2010 + (i % 500)}.5`);
    }
    const began = performance.now();
    for (let i = 0; i < 10_000; ++i) priceIs(`${1990 + (i % 20)}`);
    // A look at each of 40,000 orders for each of 10,000 prices would take many seconds.
    expect(performance.now() - began).to.be.lessThan(2000);
    expect(engine.book.heldCount).to.equal(40_000);
    expect(priceIs("1989.5").events.filter(({ type }) => type === "released")).to.have.length(40);
  });

  it("OB-4 a snapshot keeps them as they are held", () => {
    stop(1, "1", "1990");
    const ready = above(2, "1", "1995");
    const back = stop(3, "1", "1995");
    rest(0, "1", "1994");
    priceIs("1995");
    fail(1, "trigger");
    const copy = Engine.restore(engine.dump(), LIMITS);
    expect(copy.dump()).to.equal(engine.dump());
    checkBook(copy.book);
    expect([ready, back].map((hash) => copy.book.orders.get(hash)!.held)).to.deep.equal([
      ...["nothingToTake", "priceWentBack"],
    ]);
    for (const command of [
      place(0, "-1", "1996"),
      facts({ markets: [{ ...TERMS[0]!, index: parsePrice("1990") }] }),
      place(0, "3", "1985"),
      facts({ markets: [{ ...TERMS[0]!, index: parsePrice("1989") }] }),
    ]) {
      expect(copy.apply(command).events).to.deep.equal(engine.apply(command).events);
    }
    expect(copy.hash.equals(engine.hash)).to.equal(true);
    expect(engine.book.fills.size).to.equal(3);
  });
});

describe("execution fees", () => {
  it("OB-1 are owed for what fills, rounded down in parts, and are at most 1 % of what is traded", () => {
    const engine = newEngine();
    const fee = parseWad("1");
    engine.apply(place(0, "-3", "2000", { executionFee: fee }));
    engine.apply(place(1, "1", "2000", { resting: false, executionFee: parseWad("0.5") }));
    engine.apply(place(2, "1", "2000", { resting: false }));
    const [first, second] = [...engine.book.fills.values()];
    expect(feesOf([first!]), "⌊1 / 3⌋ and 0.5").to.equal(333_333_333_333_333_333n + parseWad("0.5"));
    expect(feesOf([first!, second!]), "⌊2 / 3⌋ once").to.equal(666_666_666_666_666_666n + parseWad("0.5"));
    first!.maker.slot.chain = parseWad("1");
    expect(feesOf([second!]), "⌊2 / 3⌋ − ⌊1 / 3⌋").to.equal(333_333_333_333_333_333n);
    // A buyer's limit may be far off: 20 is 1 % of what it may pay, but not of the 1,990 that it does.
    engine.apply(place(3, "-1", "1990"));
    engine.apply(place(4, "1", "2000", { resting: false, executionFee: parseWad("20") }));
    const third = [...engine.book.fills.values()].at(-1);
    expect(feesOf([third!])).to.equal(parseWad("19.9"));
  });

  it("take an account and a least sum that make sense", () => {
    const key = { PRIVATE_KEY: `0x${"1".repeat(64)}` };
    const owner = `0x${"aB".repeat(20)}`;
    const { settlement } = parseMatcherConfig({ ...key, FEE_ACCOUNT: owner, MIN_FEE: "2.5" }).policy;
    expect([settlement.feeAccount, settlement.minFee]).to.deep.equal([BigInt(owner) << 96n, parseWad("2.5")]);
    const id = (BigInt(owner) << 96n) + 5n;
    for (const text of [id.toString(), `0x${id.toString(16).padStart(64, "0")}`]) {
      expect(parseMatcherConfig({ ...key, FEE_ACCOUNT: text }).policy.settlement.feeAccount).to.equal(id);
    }
    expect(parseMatcherConfig(key).policy.settlement.feeAccount).to.equal(undefined);
    for (const text of ["0", "5", "0x12", "9".repeat(78), "alice"]) {
      expect(() => parseMatcherConfig({ ...key, FEE_ACCOUNT: text }), text).to.throw(
        InvalidMatcherConfig,
        "FEE_ACCOUNT",
      );
    }
    expect(() => parseMatcherConfig({ ...key, MIN_FEE: "-1" })).to.throw(InvalidMatcherConfig, "MIN_FEE");
  });
});
