import { expect } from "chai";
import { Wallet } from "ethers";

import { Admission } from "../../src/matcher/admission.ts";
import { faultOf, keyEndOf } from "../../src/matcher/settlement.ts";
import { Signing } from "../../src/matcher/signing.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { ANY, signInstruction } from "../../src/sdk/instructions.ts";
import type { Instruction } from "../../src/sdk/instructions.ts";
import type { Order } from "../../src/sdk/orders.ts";
import { buildGrant } from "../../src/sdk/sessionKeys.ts";
import type { GrantTerms } from "../../src/sdk/sessionKeys.ts";
import { parsePrice, parseWad } from "../../src/sdk/units.ts";
import { FakeChain } from "./fakeChain.ts";
import {
  admit as admitOrder,
  checkBook,
  facts,
  newEngine,
  NOW,
  place,
  POLICY,
  refusal,
  SECOND,
  VENUE,
} from "./support.ts";

const RATED = { ...POLICY, ownerRate: { perSecond: 1, burst: 3 } };
type Signer = ReturnType<typeof Wallet.createRandom>;

const DAY = Math.floor(SECOND / 86_400);

describe("session keys", () => {
  const alice = Wallet.createRandom();
  const parent = Wallet.createRandom();
  const key = Wallet.createRandom();
  const stranger = Wallet.createRandom();
  const owner = lower(alice);
  let chain: FakeChain;
  let engine: ReturnType<typeof newEngine>;
  let admission: Admission;

  beforeEach(() => {
    chain = new FakeChain();
    engine = newEngine();
    admission = new Admission(engine, chain, new Signing(VENUE), RATED);
  });
  afterEach(() => {
    checkBook(engine.book);
  });

  function grant(to: Signer, terms: Partial<GrantTerms> = {}, by?: Signer): void {
    const words = buildGrant({ scopes: ["trade"], expiry: SECOND + 600, ...terms });
    const from = by === undefined ? undefined : lower(by);
    chain.keys.granted({ owner, key: lower(to), parent: from, grant: words });
  }

  const admit = (fields: Partial<Order> = {}, signer = key) =>
    admitOrder(admission, signer, accountId(alice.address), fields);

  it("AUTH-2 takes orders of a live key, and tells the book what it may do", async () => {
    expect((await refusal(admit())).error).to.equal("InvalidSignature");
    grant(parent, { scopes: ["trade", "grant"], priceBand: 2000 });
    grant(key, { expiry: SECOND + 30 }, parent);
    expect((await admit()).key).to.deep.equal({
      ...{ key: lower(key), above: [lower(parent)], expiry: SECOND + 30, priceBand: 2000n },
    });
    expect((await admit({}, parent)).key?.above).to.deep.equal([]);
    expect((await admit({}, alice)).key).to.equal(undefined);
    expect((await refusal(admit({}, stranger))).error).to.equal("InvalidSignature");
  });

  it("AUTH-2 AUTH-3 refuses what the key or one above it was not granted, with the numbers", async () => {
    const cases: [Partial<GrantTerms>, Partial<Order>, string, string[]][] = [
      [{ scopes: ["cancel", "reduce"] }, {}, "KeyLacksScope", ["key", "scopes", "required"]],
      [{ markets: [1] }, {}, "KeyLacksMarket", ["key", "market"]],
      [{ accounts: [1] }, {}, "KeyLacksAccount", ["key", "account"]],
      [{}, { account: accountId(alice.address, 1) }, "KeyLacksAccount", ["key", "account"]],
      [{ accounts: [0, 30] }, { account: accountId(alice.address, 77) }, "KeyLacksAccount", ["key", "account"]],
      [{ expiry: SECOND - 1 }, {}, "KeyExpired", ["key", "expiry", "now"]],
      [{ priceBand: 999 }, { limitPrice: parsePrice("1998") }, "KeyPriceBand", ["key", "price", "index", "band"]],
      [{ dailyNotional: 1999 }, {}, "KeyNotionalLimit", ["key", "notional", "left"]],
    ];
    for (const [terms, fields, error, numbers] of cases) {
      grant(key, terms);
      const thrown = await refusal(admit(fields).then((x) => x));
      expect([thrown.error, Object.keys(thrown.numbers)]).to.deep.equal([error, numbers]);
      // What the key above lacks, the key lacks.
      grant(parent, terms);
      grant(key, { accounts: [0, 1, 31] }, parent);
      const above = await refusal(admit(fields).then((x) => x));
      expect([above.error, above.numbers.key]).to.deep.equal([error, lower(parent)]);
    }
    const allowed: [Partial<GrantTerms>, Partial<Order>][] = [
      [{ scopes: ["reduce"] }, { reduceOnly: true }],
      [{ accounts: [31] }, { account: accountId(alice.address, 77) }],
      [{ expiry: SECOND }, {}],
      [{ priceBand: 1000 }, { limitPrice: parsePrice("1998") }],
      [{ priceBand: 999 }, { limitPrice: parsePrice("2100"), resting: false }],
      [{ dailyNotional: 2000 }, { limitPrice: parsePrice("2100"), resting: false }],
    ];
    admission = new Admission(engine, chain, new Signing(VENUE), { ...POLICY, ownerRate: { perSecond: 1, burst: 99 } });
    for (const [terms, fields] of allowed) {
      grant(key, terms);
      await admit(fields);
    }
  });

  it("REV-1 REV-2 a dead key signs nothing, nor does one below it, and it does not use up its owner's rate", async () => {
    grant(parent, { scopes: ["trade", "grant"] });
    grant(key, {}, parent);
    await admit();
    chain.keys.revoked(owner, lower(parent));
    for (let i = 0; i < 5; ++i) expect((await refusal(admit())).error).to.equal("KeyIsRevoked");
    grant(parent, { scopes: ["trade", "grant"] }); // anew: what was below the old one stays dead
    expect((await refusal(admit())).numbers).to.deep.equal({ key: lower(parent) });
    await admit({}, parent);
    grant(key, {}, parent);
    await admit();
    chain.owners.set(owner, { epoch: 1n, lowestNonce: 0n, deadMan: 0, lockedDown: false });
    chain.keys.revokedAll(owner);
    expect((await refusal(admit({ epoch: 1n }, parent))).error).to.equal("InvalidSignature");
  });

  it("AUTH-2 counts what waits for its settlement against what is left to a key", async () => {
    // What waits sells at 1,990 what is worth 2,000, and the fee is 5 in 10,000 of 1,990: 10.995 a unit. The buy of 1 at 2,000 needs 2,000.
    const cases: [size: string, waits: readonly string[], notional: bigint, loss: bigint][] = [
      ["-1", ["1"], 399_000n, 109_950n], // 1,990 + 2,000 in cents; 10.995 in hundredths of a cent
      // An order is rounded up once, as in one settlement: 0.020102 · 1,990 = 40.00298, and 0.020102 · 10.995 = 0.22102149.
      ["-0.020102", ["0.010051", "0.010051"], 4_001n + 200_000n, 2_211n],
    ];
    const above = lower(parent);
    for (const [size, bids, notional, loss] of cases) {
      for (const [notionalLeft, lossLeft, error, numbers] of [
        [notional, loss, undefined, undefined],
        [undefined, undefined, undefined, undefined],
        [notional - 1n, loss, "KeyNotionalLimit", { key: above, notional: `${notional}`, left: `${notional - 1n}` }],
        [notional, loss - 1n, "KeyLossLimit", { key: above, loss: `${loss}`, left: `${loss - 1n}` }],
      ] as const) {
        engine = newEngine();
        admission = new Admission(engine, chain, new Signing(VENUE), RATED);
        grant(parent, { scopes: ["trade", "grant"] });
        grant(key, {}, parent);
        chain.keys.left(owner, above, { notionalLeft, lossLeft, day: DAY });
        bids.forEach((bid, i) => engine.apply(place(i + 1, bid, "1990")));
        engine.apply(await admit({ size: parseWad(size), limitPrice: parsePrice("1990"), resting: false }));
        expect(engine.book.fills.size).to.equal(bids.length);
        if (error === undefined) await admit();
        else expect((await refusal(admit())).toJSON()).to.deep.include({ error, ...numbers });
      }
    }
  });

  it("AUTH-2 a day begins with the whole notional of the grant, and with what is left to lose", async () => {
    const left = { notionalLeft: 0n, lossLeft: 7n, day: DAY - 1 };
    grant(key, { dailyNotional: 2000, lossLimit: 1 });
    chain.keys.left(owner, lower(key), left);
    await admit(); // 1 at 2,000
    expect(chain.keys.get(owner, lower(key))).to.include(left);
    chain.keys.left(owner, lower(key), { ...left, day: DAY });
    expect((await refusal(admit())).numbers).to.deep.equal({ key: lower(key), notional: "200000", left: "0" });
    grant(key, { dailyNotional: 1999, lossLimit: 1 });
    expect(chain.keys.get(owner, lower(key))).to.include({ notionalLeft: 199_900n, lossLeft: 10_000n });
    expect((await refusal(admit())).numbers).to.deep.include({ left: "199900" });
  });

  it("AUTH-2 an instruction of a key is what it could tell the exchange", async () => {
    grant(key, { accounts: [1] });
    engine.apply(await admit({ account: accountId(alice.address, 1) }));
    const [order] = engine.book.orders.values();
    const instruct = async (instruction: Instruction) =>
      admission.instruct(instruction, await signInstruction(key, VENUE, instruction), NOW);
    const many = { kind: "cancelMany", owner: alice.address, market: ANY, belowNonce: ANY, stamp: NOW } as const;
    const beat = { kind: "heartbeat", owner: alice.address, timeout: 1000, stamp: NOW } as const;
    expect((await refusal(instruct({ kind: "cancel", order: order!.hash }))).error).to.equal("KeyLacksScope");
    grant(key, { scopes: ["trade", "cancel"], accounts: [1] });
    expect((await instruct({ kind: "cancel", order: order!.hash })).type).to.equal("cancel");
    expect((await instruct({ ...many, account: accountId(alice.address, 1) })).type).to.equal("cancelMany");
    expect((await refusal(instruct({ ...many, account: ANY }))).error).to.equal("KeyLacksAccount");
    expect((await refusal(instruct(beat))).error).to.equal("KeyLacksAccount");
    grant(key, { scopes: ["trade"] });
    expect((await instruct(beat)).type).to.equal("heartbeat");
    expect((await refusal(instruct({ ...beat, timeout: 0 }))).error).to.equal("KeyLacksScope");
  });

  it("REV-1 orders end with their key and with their owner's dead-man switch, in time", async () => {
    grant(key, { expiry: SECOND + 10 });
    engine.apply(await admit());
    engine.apply(await admit({ size: parseWad("2") }, alice));
    const [ofKey, ofOwner] = [...engine.book.orders.values()];
    const tell = (deadMan: number, expiry: number) => {
      const line = { key: lower(key), above: [], priceBand: 10n ** 6n, expiry };
      engine.apply(
        facts({ owners: [{ owner, epoch: 0n, lowestNonce: 0n, deadMan, lockedDown: false, keys: [line] }] }),
      );
    };
    tell(0, SECOND + 20); // granted for longer
    engine.apply({ type: "tick", time: NOW + 11_000 });
    expect([ofKey!.state, engine.nextDue]).to.deep.equal(["open", NOW + 21_000]);
    engine.apply({ type: "tick", time: NOW + 21_000 });
    expect([ofKey!.reason, ofOwner!.state]).to.deep.equal(["keyExpired", "open"]);
    tell(SECOND + 30, SECOND + 20);
    expect(engine.nextDue).to.equal(NOW + 31_000);
    engine.apply({ type: "tick", time: NOW + 31_000 });
    expect(ofOwner!.reason).to.equal("ownerSilent");
    chain.owners.set(owner, { epoch: 0n, lowestNonce: 0n, deadMan: SECOND - 1, lockedDown: false });
    expect((await refusal(admit({}, alice).then((x) => x))).toJSON()).to.deep.include({
      ...{ error: "OwnerSilent", deadMan: SECOND - 1, now: SECOND },
    });
  });

  it("OB-2 AUTH-2 a refusal for a key's sake is the fault of who has signed with it or below it", async () => {
    grant(parent, { scopes: ["trade", "grant"] });
    grant(key, {}, parent);
    engine.apply(await admit());
    engine.apply(place(1, "-1", "2000", { resting: false }));
    const [fill] = [...engine.book.fills.values()];
    const fault = (name: string, args: Record<string, unknown>) => faultOf({ name, args }, fill!);
    expect(fault("KeyLossLimit", { key: key.address, loss: 1n, left: 0n })).to.equal("maker");
    expect(fault("KeyNotionalLimit", { key: parent.address })).to.equal("maker");
    expect(fault("KeyIsRevoked", { owner: alice.address, key: parent.address })).to.equal("maker");
    expect(fault("KeyIsRevoked", { owner: stranger.address, key: parent.address })).to.equal("neither");
    expect(fault("KeyExpired", { key: stranger.address })).to.equal("neither");
    expect(fault("OwnerSilent", { owner: fill!.taker.account.owner.address })).to.equal("taker");
    const account = accountId(alice.address);
    expect(fault("KeyEquityFloor", { key: key.address, account })).to.equal("maker");
    expect(fault("KeyEquityFloor", { key: key.address, account: account + 1n })).to.equal("neither");
    expect(fault("FlowsNotTracked", { account })).to.equal("maker");
  });

  it("OB-2 AUTH-2 a key that has come to its end takes with it what it and the keys below it have signed", async () => {
    const names = ["KeyEquityFloor", "FlowsNotTracked", "KeyLossLimit", "KeyNotionalLimit"] as const;
    for (const name of names) {
      engine = newEngine();
      admission = new Admission(engine, chain, new Signing(VENUE), {
        ...POLICY,
        ownerRate: { perSecond: 1, burst: 99 },
      });
      grant(parent, { scopes: ["trade", "grant"], accounts: [0, 1] });
      grant(key, { accounts: [0, 1] }, parent);
      const orders = [
        await admit(),
        await admit({ limitPrice: parsePrice("1990") }),
        await admit({ size: -parseWad("1"), resting: false, triggerBelow: parsePrice("1900") }),
        await admit({ limitPrice: parsePrice("1990"), account: accountId(alice.address, 1) }),
        await admit({ limitPrice: parsePrice("1990") }, parent),
        await admit({ limitPrice: parsePrice("1990") }, alice),
      ];
      for (const order of orders) engine.apply(order);
      engine.apply(place(1, "-0.5", "2000", { resting: false }));
      const [fill] = [...engine.book.fills.values()];
      const account = accountId(alice.address);
      const args = {
        KeyEquityFloor: { key: key.address, account },
        FlowsNotTracked: { account },
        KeyLossLimit: { key: key.address },
        KeyNotionalLimit: { key: key.address },
      };
      const error = { name, args: args[name] };
      const failed = { fill: fill!.id, reason: name, fault: faultOf(error, fill!), ...keyEndOf(error, fill!) };
      engine.apply({ type: "fail", time: NOW, fills: [failed] });
      const reasons = orders.map(({ hash }) => engine.book.orders.get(hash)?.reason);
      const none = undefined;
      expect(reasons, name).to.deep.equal(
        {
          KeyEquityFloor: ["keyFloor", "keyFloor", "keyFloor", none, none, none],
          FlowsNotTracked: ["keyFloor", "keyFloor", "keyFloor", none, none, none],
          KeyLossLimit: ["keyLimit", "keyLimit", "keyLimit", "keyLimit", none, none],
          KeyNotionalLimit: ["settlementFailed", none, none, none, none, none], // a smaller one may fit
        }[name],
      );
      expect(engine.book.orders.get(orders[0]!.hash)?.detail).to.equal(name);
    }
  });
});

function lower({ address }: Signer): string {
  return address.toLowerCase();
}
