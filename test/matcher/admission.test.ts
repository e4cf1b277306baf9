import { expect } from "chai";
import { Signature, toBeHex, Wallet } from "ethers";

import { Admission } from "../../src/matcher/admission.ts";
import type { AdmissionPolicy } from "../../src/matcher/admission.ts";
import { CANCELLED } from "../../src/matcher/bookOrder.ts";
import { recoverSigner, Signing } from "../../src/matcher/signing.ts";
import { accountId, isolatedAccountId } from "../../src/sdk/accountId.ts";
import { signInstruction } from "../../src/sdk/instructions.ts";
import { hashOrder, signOrder } from "../../src/sdk/orders.ts";
import type { Order } from "../../src/sdk/orders.ts";
import { parsePrice, parseWad } from "../../src/sdk/units.ts";
import { FakeChain } from "./fakeChain.ts";
import { admit as admitOrder, newEngine, NOW, place, POLICY, refusal, SECOND, VENUE } from "./support.ts";

const LIMITED: AdmissionPolicy = { ...POLICY, maxOpenOrders: 3, maxTotalOrders: 5 };

describe("admission", () => {
  const alice = Wallet.createRandom();
  const bob = Wallet.createRandom();
  const account = accountId(alice.address);
  let chain: FakeChain;
  let engine: ReturnType<typeof newEngine>;
  let admission: Admission;

  function begin(cash = "1000000", policy: Partial<AdmissionPolicy> = {}): void {
    chain = new FakeChain(cash);
    engine = newEngine();
    admission = new Admission(engine, chain, new Signing(VENUE), { ...LIMITED, ...policy });
  }
  beforeEach(() => {
    begin();
  });

  const good = (fields: Partial<Order> = {}): Order =>
    place(0, "1", "2000", { account, expiry: BigInt(SECOND + 60), nonce: 1n, ...fields }).signed.order;

  const admit = (fields: Partial<Order> = {}, signer = alice) =>
    admitOrder(admission, signer, account, { nonce: 1n, ...fields });

  /** Admits and places, so that the next one finds it in the book. */
  async function rest(fields: Partial<Order>): Promise<void> {
    engine.apply(await admit(fields));
  }

  it("AUTH-1 hashes as the SDK and the exchange do", () => {
    const order = good({ size: -parseWad("123.5"), epoch: 7n, nonce: (1n << 64n) - 1n, executionFee: 9n });
    expect(`0x${new Signing(VENUE).hashOrder(order).toString("hex")}`).to.equal(hashOrder(VENUE, order));
  });

  it("AUTH-1 takes exactly the signatures that the exchange takes", async () => {
    const order = good();
    const digest = new Signing(VENUE).hashOrder(order);
    const signature = await signOrder(alice, VENUE, order);
    const { r, s, yParity } = Signature.from(signature);
    const n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const highS = `${r}${toBeHex(n - BigInt(s), 32).slice(2)}${yParity === 0 ? "1c" : "1b"}`;
    expect(recoverSigner(digest, signature)).to.equal(alice.address.toLowerCase());
    const bad = [highS, signature.slice(0, -2) + (yParity === 0 ? "00" : "01"), "0x", `0x${"00".repeat(65)}`];
    bad.push(`0x${"ff".repeat(65)}`, `${signature}00`, `0x${"00".repeat(32)}${signature.slice(66)}`);
    for (const forged of bad) expect(recoverSigner(digest, forged), forged).to.equal(undefined);
    const otherParity = signature.slice(0, -2) + (yParity === 0 ? "1c" : "1b");
    expect(recoverSigner(digest, otherParity)).to.not.equal(alice.address.toLowerCase());
    expect((await refusal(admit({}, bob))).error).to.equal("InvalidSignature");
    chain.wallets.add(alice.address.toLowerCase());
    await admit({}, bob); // the contract wallet says yes
  });

  it("OB-1 refuses what the exchange would refuse, each with its numbers", async () => {
    chain.owners.set(alice.address.toLowerCase(), { epoch: 2n, lowestNonce: 10n, deadMan: 0, lockedDown: false });
    const ok = { epoch: 2n, nonce: 10n };
    await admit(ok);
    chain.filledOf.set(`${account}:11`, CANCELLED);
    const cases: [Partial<Order>, string, string[]][] = [
      [{ size: 0n }, "SizeInvalid", ["size", "unit", "maximum"]],
      [{ size: 10n ** 9n + 1n }, "SizeInvalid", ["size", "unit", "maximum"]],
      [{ size: 1n << 100n }, "SizeInvalid", ["size", "unit", "maximum"]],
      [{ limitPrice: 0n }, "PriceInvalid", ["limitPrice", "maximum"]],
      [{ limitPrice: 10n ** 24n + 1n }, "PriceInvalid", ["limitPrice", "maximum"]],
      [{ resting: false, postOnly: true }, "FlagsInvalid", []],
      [{ resting: true, fillOrKill: true }, "FlagsInvalid", []],
      [{ triggerAbove: 1n }, "TriggerInvalid", ["triggerAbove", "triggerBelow", "maximum"]], // it rests
      [{ triggerBelow: 1n }, "TriggerInvalid", ["triggerAbove", "triggerBelow", "maximum"]],
      [
        { resting: false, triggerAbove: 2n, triggerBelow: 1n },
        "TriggerInvalid",
        ["triggerAbove", "triggerBelow", "maximum"],
      ],
      [
        { resting: false, triggerAbove: 10n ** 24n + 1n },
        "TriggerInvalid",
        ["triggerAbove", "triggerBelow", "maximum"],
      ],
      [{ executionFee: parseWad("20") + 1n }, "FeeTooHigh", ["executionFee", "maximum"]], // 1 % of 2,000
      [{ nonce: 1n << 64n }, "NonceInvalid", ["nonce", "maximum"]],
      [{ nonce: 9n }, "NonceTooLow", ["nonce", "lowest"]],
      [{ nonce: 11n }, "AlreadyFilled", ["nonce"]],
      [{ epoch: 1n }, "EpochMismatch", ["epoch", "current"]],
      [{ expiry: BigInt(SECOND - 1) }, "Expired", ["expiry", "now"]],
      [{ expiry: BigInt(SECOND + 3601) }, "ExpiryTooFar", ["expiry", "latest"]],
      [{ market: 7n }, "UnknownMarket", ["market"]],
      [{ limitPrice: parsePrice("2401") }, "PriceOutOfRange", ["limitPrice", "index", "maximumPpm"]],
      [{ account: isolatedAccountId(alice.address, 1) }, "IsolatedMarket", ["market"]],
    ];
    for (const [fields, error, numbers] of cases) {
      const thrown = await refusal(admit({ ...ok, ...fields }).then((x) => x));
      expect(thrown.error).to.equal(error);
      expect(Object.keys(thrown.numbers), error).to.deep.equal(numbers);
    }
  });

  it("AUTH-5 takes from an owner in lockdown only what reduces and pays no fee", async () => {
    chain.owners.set(alice.address.toLowerCase(), { epoch: 1n, lowestNonce: 0n, deadMan: 0, lockedDown: true });
    const position = { size: -parseWad("1"), quote: parseWad("2000") };
    chain.accounts.set(account, { ...chain.account(account), positions: new Map([[0, position]]) });
    expect((await refusal(admit({ epoch: 1n }))).toJSON()).to.deep.include({ error: "LockedDown", executionFee: "0" });
    const paid = admit({ epoch: 1n, reduceOnly: true, executionFee: 7n });
    expect((await refusal(paid)).toJSON()).to.deep.include({ error: "LockedDown", executionFee: "7" });
    await admit({ epoch: 1n, reduceOnly: true });
  });

  it("bounds live orders by nonce, account and altogether", async () => {
    await rest({ nonce: 1n });
    await rest({ nonce: 1n, size: parseWad("2") });
    expect((await refusal(admit({ nonce: 1n, size: parseWad("3") }))).numbers).to.deep.include({ open: 2, maximum: 2 });
    await rest({ nonce: 2n });
    expect((await refusal(admit({ nonce: 3n }))).error).to.equal("TooManyOrders");
    await rest({ nonce: 3n, account: accountId(alice.address, 1) });
    await rest({ nonce: 4n, account: accountId(alice.address, 1) });
    expect((await refusal(admit({ nonce: 5n, account: accountId(alice.address, 2) }))).error).to.equal("TooManyOrders");
  });

  it("OB-5 MMS-7 reserves margin for what rests, the worse side only, and for fills that are not settled", async () => {
    begin("1000");
    // 5 % of 2,000 a unit and a fee of 1: 9 units need 909.
    await rest({ nonce: 1n, size: parseWad("9") });
    const thrown = await refusal(admit({ nonce: 2n, size: parseWad("2") }));
    expect(thrown.error).to.equal("InsufficientMargin");
    expect(BigInt(thrown.numbers.equity!)).to.equal(parseWad("1000") - parseWad("11"));
    expect(BigInt(thrown.numbers.initialMargin!) >= parseWad("1100")).to.equal(true);
    await rest({ nonce: 3n, size: -parseWad("9"), limitPrice: parsePrice("2005") });
    // Somebody else takes the bid: what is filled counts, what rests on that side no more.
    const bobs = good({ account: accountId(bob.address), size: -parseWad("9"), resting: false });
    begin("1000");
    await rest({ nonce: 1n, size: parseWad("9") });
    engine.apply(await admission.admit({ order: bobs, signature: await signOrder(bob, VENUE, bobs) }, NOW));
    expect(engine.book.fills.size).to.equal(1);
    expect((await refusal(admit({ nonce: 4n, size: parseWad("2") }))).error).to.equal("InsufficientMargin");
    await admit({ nonce: 5n, size: -parseWad("9") });
    await admit({ nonce: 6n, size: -parseWad("18") }).then(() => undefined);
  });

  it("AUTH-1 limits an owner's rate, and only his own signatures count", async () => {
    begin("1000000", { ownerRate: { perSecond: 1, burst: 2 } });
    for (let i = 0; i < 5; ++i) await refusal(admit({}, bob).then((x) => x));
    await admit({ nonce: 1n });
    await admit({ nonce: 2n });
    const thrown = await refusal(admit({ nonce: 3n }));
    expect(thrown.toJSON()).to.deep.include({ error: "RateLimited", retryAfter: 1000 });
  });

  it("AUTH-1 takes an owner's instruction once, in time, and from nobody else", async () => {
    const all = { kind: "cancelMany", owner: alice.address, account, market: 0n, belowNonce: 5n } as const;
    const instruct = async (stamp: number, signer = alice) => {
      const instruction = { ...all, stamp };
      return admission.instruct(instruction, await signInstruction(signer, VENUE, instruction), NOW);
    };
    expect((await refusal(instruct(NOW, bob))).error).to.equal("InvalidSignature");
    expect((await refusal(instruct(NOW - 30_001))).error).to.equal("StampInvalid");
    expect((await refusal(instruct(NOW + 30_001))).error).to.equal("StampInvalid");
    engine.apply(await instruct(NOW));
    expect((await refusal(instruct(NOW))).numbers).to.deep.include({ stamp: NOW, last: NOW });
    await instruct(NOW + 1);
  });
});
