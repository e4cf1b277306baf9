import { expect } from "chai";
import { Wallet } from "ethers";

import { Admission } from "../../src/matcher/admission.ts";
import type { AdmissionPolicy } from "../../src/matcher/admission.ts";
import { Refusal } from "../../src/matcher/refusals.ts";
import { faultOf } from "../../src/matcher/settlement.ts";
import { ALL, signInstruction, Signing } from "../../src/matcher/signing.ts";
import type { Instruction } from "../../src/matcher/signing.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { signOrder } from "../../src/sdk/orders.ts";
import type { Order } from "../../src/sdk/orders.ts";
import { buildGrant } from "../../src/sdk/sessionKeys.ts";
import type { GrantTerms } from "../../src/sdk/sessionKeys.ts";
import { parsePrice, parseWad } from "../../src/sdk/units.ts";
import { FakeChain } from "./fakeChain.ts";
import { checkBook, facts, newEngine, NOW, place, SECOND } from "./support.ts";

const VENUE = { chainId: 31337, contracts: { exchange: "0x00000000000000000000000000000000000000E1" } };
const POLICY: AdmissionPolicy = {
  ...{ maxLifetime: 3600, maxDistance: 200_000n, maxOpenOrders: 50, maxPerNonce: 2, maxTotalOrders: 50 },
  ...{ ownerRate: { perSecond: 1, burst: 3 }, stampWindow: 30_000 },
};
type Signer = ReturnType<typeof Wallet.createRandom>;

const USD = 10n ** 6n; // of traded notional
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
  let nonces = 0n;

  beforeEach(() => {
    chain = new FakeChain();
    engine = newEngine();
    admission = new Admission(engine, chain, new Signing(VENUE), POLICY);
  });
  afterEach(() => {
    checkBook(engine.book);
  });

  function grant(to: Signer, terms: Partial<GrantTerms> = {}, by?: Signer): void {
    const words = buildGrant({ scopes: ["trade"], expiry: SECOND + 600, ...terms });
    const from = by === undefined ? undefined : lower(by);
    chain.keys.granted({ owner, key: lower(to), parent: from, grant: words, epoch: chain.owner(owner).epoch });
  }

  async function admit(fields: Partial<Order> = {}, signer = key) {
    const order: Order = {
      ...{ account: accountId(alice.address), market: 0n, size: parseWad("1"), limitPrice: parsePrice("2000") },
      ...{ expiry: BigInt(SECOND + 60), nonce: (nonces += 1n), epoch: 0n, resting: true, postOnly: false },
      ...{ reduceOnly: false, fillOrKill: false },
      ...{ triggerAbove: 0n, triggerBelow: 0n, executionFee: 0n, ...fields },
    };
    return admission.admit({ order, signature: await signOrder(signer, VENUE, order) }, NOW);
  }

  async function refusal(action: Promise<unknown>): Promise<Refusal> {
    const thrown: unknown = await action.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(thrown).to.be.instanceOf(Refusal);
    return thrown as Refusal;
  }

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
      [{ dailyNotional: 1999 }, {}, "KeyNotionalLimit", ["key", "tradedToday", "limit"]],
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
    chain.owners.set(owner, { epoch: 1n, lowestNonce: 0n, deadMan: 0 });
    expect((await refusal(admit({ epoch: 1n }, parent))).error).to.equal("KeyIsRevoked");
  });

  it("AUTH-2 counts what a key has used, and what waits for its settlement", async () => {
    // Selling at 1,990 what is worth 2,000 loses 10, and the fee is 5 in 10,000 of 1,990: 10.995.
    const use = { traded: 1000n * USD, day: DAY, loss: parseWad("1") / 10n ** 9n };
    const sell = { size: -parseWad("1"), limitPrice: parsePrice("1990"), resting: false };
    for (const [dailyNotional, lossLimit, error] of [
      [4990, 12, undefined], // 1,000 used, 1,990 that waits, 2,000 of its own
      [4989, 12, "KeyNotionalLimit"],
      [4990, 11, "KeyLossLimit"], // 1 lost and 10.995 to come
    ] as const) {
      engine = newEngine();
      admission = new Admission(engine, chain, new Signing(VENUE), POLICY);
      grant(parent, { scopes: ["trade", "grant"], dailyNotional, lossLimit });
      grant(key, {}, parent);
      chain.keys.used(owner, lower(parent), use);
      engine.apply(place(1, "1", "1990"));
      engine.apply(await admit(sell));
      expect(engine.book.fills.size).to.equal(1);
      if (error === undefined) await admit();
      else expect((await refusal(admit())).error).to.equal(error);
    }
    chain.keys.used(owner, lower(parent), { ...use, traded: 10n ** 12n, day: DAY - 1, loss: 0n });
    await admit(); // yesterday's does not count
  });

  it("AUTH-2 an instruction of a key is what it could tell the exchange", async () => {
    grant(key, { accounts: [1] });
    engine.apply(await admit({ account: accountId(alice.address, 1) }));
    const [hash] = engine.book.orders.keys();
    const instruct = async (instruction: Instruction) =>
      admission.instruct(instruction, await signInstruction(key, VENUE, instruction), NOW);
    const many = { kind: "cancelMany", owner: alice.address, market: ALL, belowNonce: ALL, stamp: NOW } as const;
    const beat = { kind: "heartbeat", owner: alice.address, timeout: 1000, stamp: NOW } as const;
    expect((await refusal(instruct({ kind: "cancel", order: hash! }))).error).to.equal("KeyLacksScope");
    grant(key, { scopes: ["trade", "cancel"], accounts: [1] });
    expect((await instruct({ kind: "cancel", order: hash! })).type).to.equal("cancel");
    expect((await instruct({ ...many, account: accountId(alice.address, 1) })).type).to.equal("cancelMany");
    expect((await refusal(instruct({ ...many, account: ALL }))).error).to.equal("KeyLacksAccount");
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
      engine.apply(facts({ owners: [{ owner, epoch: 0n, lowestNonce: 0n, deadMan, keys: [line] }] }));
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
    chain.owners.set(owner, { epoch: 0n, lowestNonce: 0n, deadMan: SECOND - 1 });
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
    expect(fault("KeyLossLimit", { key: key.address, loss: 1n, limit: 0n })).to.equal("maker");
    expect(fault("KeyNotionalLimit", { key: parent.address })).to.equal("maker");
    expect(fault("KeyIsRevoked", { owner: alice.address, key: parent.address })).to.equal("maker");
    expect(fault("KeyIsRevoked", { owner: stranger.address, key: parent.address })).to.equal("neither");
    expect(fault("KeyExpired", { key: stranger.address })).to.equal("neither");
    expect(fault("OwnerSilent", { owner: fill!.taker.account.owner.address })).to.equal("taker");
  });
});

function lower({ address }: Signer): string {
  return address.toLowerCase();
}
