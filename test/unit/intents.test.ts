import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { expect } from "chai";
import { Signature, toBeHex } from "ethers";

import { accountId } from "../../src/sdk/accountId.ts";
import { signIntent } from "../../src/sdk/intents.ts";
import type { Authorisation, Intent, IntentTerms } from "../../src/sdk/intents.ts";
import { SCOPES, UNLIMITED } from "../../src/sdk/sessionKeys.ts";
import { MockWallet__factory } from "../../types/index.ts";
import { freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { cashOf, deal, main, refused, usdc } from "../helpers/unit.ts";

interface House extends Fixture {
  terms: IntentTerms;
  token: string;
  second: bigint; // account of Alice's
}

/** Alice has 10,000 of cash in her main account, 1,000 USDC at hand and approved, and 500 of lent cash; Keeper brings what she signs. */
async function house(): Promise<House> {
  const h = await freshHouse();
  await h.fund(h.alice, { cash: "10500" });
  await h.clearingHouse.connect(h.alice).lend(main(h.alice), usdc("500"));
  await h.usdc.mint(h.alice, usdc("1000"));
  await h.usdc.connect(h.alice).approve(h.vault, usdc("1000"));
  const deadline = BigInt(await h.networkHelpers.time.latest()) + 1_000n;
  const terms = { nonce: 7n, deadline, epoch: 0n };
  return { ...h, terms, token: await h.usdc.getAddress(), second: accountId(h.alice.address, 1n) };
}

interface Case {
  name: Intent["name"];
  intent: (h: House) => object;
  /** Every field but the terms changed, one at a time. */
  altered: (h: House) => object[];
  bring: (h: House, a: Authorisation, by?: HardhatEthersSigner) => Promise<unknown>;
  scope: bigint;
}

const exchange = (h: House, by = h.keeper) => h.exchange.connect(by);

/** Every entry point that takes an intent. */
const CASES: Case[] = [
  {
    name: "Deposit",
    intent: (h) => ({ account: main(h.alice), token: h.token, amount: usdc("25") }),
    altered: (h) => [
      { account: h.second, token: h.token, amount: usdc("25") },
      { account: main(h.alice), token: h.alice.address, amount: usdc("25") },
      { account: main(h.alice), token: h.token, amount: usdc("26") },
    ],
    bring: (h, a, by) => exchange(h, by).depositFor(main(h.alice), h.token, usdc("25"), a),
    scope: SCOPES.deposit,
  },
  {
    name: "Withdraw",
    intent: (h) => ({ account: main(h.alice), token: h.token, amount: usdc("25"), to: h.alice.address }),
    altered: (h) => [
      { account: h.second, token: h.token, amount: usdc("25"), to: h.alice.address },
      { account: main(h.alice), token: h.alice.address, amount: usdc("25"), to: h.alice.address },
      { account: main(h.alice), token: h.token, amount: usdc("24"), to: h.alice.address },
      { account: main(h.alice), token: h.token, amount: usdc("25"), to: h.keeper.address },
    ],
    bring: (h, a, by) => exchange(h, by).withdrawFor(main(h.alice), h.token, usdc("25"), h.alice, a),
    scope: SCOPES.withdraw,
  },
  {
    name: "Transfer",
    intent: (h) => ({ from: main(h.alice), to: h.second, token: h.token, amount: usdc("25") }),
    altered: (h) => [
      { from: h.second, to: h.second, token: h.token, amount: usdc("25") },
      { from: main(h.alice), to: main(h.alice), token: h.token, amount: usdc("25") },
      { from: main(h.alice), to: h.second, token: h.alice.address, amount: usdc("25") },
      { from: main(h.alice), to: h.second, token: h.token, amount: usdc("1") },
    ],
    bring: (h, a, by) => exchange(h, by).transferFor(main(h.alice), h.second, h.token, usdc("25"), a),
    scope: SCOPES.transfer,
  },
  {
    name: "Lend",
    intent: (h) => ({ account: main(h.alice), amount: usdc("25") }),
    altered: (h) => [
      { account: h.second, amount: usdc("25") },
      { account: main(h.alice), amount: usdc("1") },
    ],
    bring: (h, a, by) => exchange(h, by).lendFor(main(h.alice), usdc("25"), a),
    scope: SCOPES.lend,
  },
  {
    name: "Recall",
    intent: (h) => ({ account: main(h.alice), amount: usdc("25") }),
    altered: (h) => [
      { account: h.second, amount: usdc("25") },
      { account: main(h.alice), amount: usdc("1") },
    ],
    bring: (h, a, by) => exchange(h, by).recallFor(main(h.alice), usdc("25"), a),
    scope: SCOPES.lend,
  },
];

function named(name: Intent["name"], says: object): Intent {
  return { name, ...says } as Intent;
}

describe("intents", () => {
  it("AUTH-1 every function of the exchange that acts for an owner is among the cases", async () => {
    const h = await house();
    const names: string[] = [];
    h.exchange.interface.forEachFunction(({ name }) => names.push(name));
    const acting = names.filter((name) => name.endsWith("For")).sort();
    const tested = CASES.map(({ name }) => `${name.toLowerCase()}For`);
    // Grants and revocations by signature are with the session keys.
    expect(acting).to.deep.equal([...tested, "grantFor", "revokeFor", "revokeAllFor"].sort());
  });

  for (const { name, intent, altered, bring, scope } of CASES) {
    describe(name, () => {
      const sign = (h: House, by: HardhatEthersSigner, changes: Partial<IntentTerms> = {}) =>
        signIntent(by, h.addressBook, named(name, intent(h)), { ...h.terms, ...changes });

      it("AUTH-1 refuses what is forged, altered, foreign, malleable or empty", async () => {
        const h = await house();
        const good = await sign(h, h.alice);
        const { contracts } = h.addressBook;
        const elsewhere = { ...h.addressBook, contracts: { ...contracts, exchange: contracts.clearingHouse } };
        const { r, s, yParity } = Signature.from(good.signature);
        const n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n; // order of secp256k1
        const highS = `${r}${toBeHex(n - BigInt(s), 32).slice(2)}${yParity === 0 ? "1c" : "1b"}`;
        const forged = [
          await sign(h, h.bob),
          await signIntent(h.alice, { ...h.addressBook, chainId: 1 }, named(name, intent(h)), h.terms),
          await signIntent(h.alice, elsewhere, named(name, intent(h)), h.terms),
          { ...(await sign(h, h.alice, { nonce: 8n })), nonce: 7n },
          { ...good, deadline: good.deadline + 1n },
          await sign(h, h.alice, { epoch: 1n }),
          { ...good, signature: highS },
          { ...good, signature: "0x" },
          { ...good, signature: `0x${"00".repeat(65)}` },
        ];
        for (const other of altered(h))
          forged.push(await signIntent(h.alice, h.addressBook, named(name, other), h.terms));
        for (const a of forged) {
          await refused(h, () => bring(h, a), "InvalidIntent", [h.alice.address, a.nonce, 0n], h.exchange);
        }
        await bring(h, good);
      });

      it("AUTH-4 works once, in any order of nonces, until its deadline, and not after it is cancelled", async () => {
        const h = await house();
        const [third, first, cancelled, late] = await Promise.all(
          [3n, 1n, 2n, 2n ** 255n].map((nonce) => sign(h, h.alice, { nonce })),
        );
        await expect(bring(h, third!))
          .to.emit(h.exchange, "IntentUsed")
          .withArgs(h.alice.address, 3n, "0x0000000000000000000000000000000000000000");
        await bring(h, first!);
        const again = () => bring(h, third!);
        await refused(h, again, "IntentUsedBefore", [h.alice.address, 3n], h.exchange);
        await h.exchange.connect(h.alice).cancelIntent(2n);
        expect(await h.exchange.isIntentUsed(h.alice, 2n)).to.equal(true);
        const dead = () => bring(h, cancelled!);
        await refused(h, dead, "IntentUsedBefore", [h.alice.address, 2n], h.exchange);
        await h.networkHelpers.time.increaseTo(h.terms.deadline);
        await refused(h, () => bring(h, late!), "IntentExpired", undefined, h.exchange);
      });

      it("REV-2 ATTACK-26 is dead once its owner has revoked all", async () => {
        const h = await house();
        const pending = await sign(h, h.alice);
        await h.exchange.connect(h.alice).revokeAll();
        await refused(h, () => bring(h, pending), "InvalidIntent", [h.alice.address, 7n, 1n], h.exchange);
      });

      it("AUTH-2 REV-1 a key needs the scope and the account, and stops when it is revoked", async () => {
        const h = await house();
        const limits = { priceBand: 0n, dailyNotional: UNLIMITED, lossLimit: UNLIMITED, equityFloor: 0n };
        const grant = { markets: 0n, accounts: 3n, expiry: h.terms.deadline + 9_000n, ...limits };
        const ex = h.exchange.connect(h.alice);
        const byKey = await sign(h, h.carol);
        await refused(h, () => bring(h, byKey), "InvalidIntent", [h.alice.address, 7n, 0n], ex);
        const scopes = 255n & ~scope;
        await ex.grant(h.alice, h.carol, { ...grant, scopes });
        await refused(h, () => bring(h, byKey), "KeyLacksScope", [h.carol.address, scopes, scope], ex);
        await ex.grant(h.alice, h.carol, { ...grant, scopes: scope, accounts: 4n });
        await refused(h, () => bring(h, byKey), "KeyLacksAccount", [h.carol.address, main(h.alice)], ex);
        await ex.grant(h.alice, h.carol, { ...grant, scopes: scope });
        await bring(h, byKey);
        await ex.revoke(h.alice, h.carol);
        const next = await sign(h, h.carol, { nonce: 8n });
        await refused(h, () => bring(h, next), "KeyIsRevoked", [h.alice.address, h.carol.address], ex);
      });
    });
  }

  it("AUTH-1 move what they say: the owner's tokens in, cash out, across, lent and back", async () => {
    const h = await house();
    const terms = (nonce: bigint) => ({ ...h.terms, nonce });
    const id = main(h.alice);
    for (const [i, { name, intent, bring }] of CASES.entries()) {
      await bring(h, await signIntent(h.alice, h.addressBook, named(name, intent(h)), terms(BigInt(i))));
    }
    // 10,000 + 25 deposited − 25 withdrawn − 25 moved − 25 lent + 25 recalled; 1,000 − 25 + 25 in her wallet
    expect(await cashOf(h, id)).to.equal(wad("9975"));
    expect(await cashOf(h, h.second)).to.equal(wad("25"));
    expect(await h.usdc.balanceOf(h.alice)).to.equal(usdc("1000"));
    expect(await h.usdc.balanceOf(h.keeper)).to.equal(0n);
  });

  it("AUTH-2 what a key withdraws goes to the owner, and it moves nothing into an account that is not its own", async () => {
    const h = await house();
    const limits = { priceBand: 0n, dailyNotional: UNLIMITED, lossLimit: UNLIMITED, equityFloor: 0n };
    const grant = { markets: 0n, accounts: 1n, expiry: h.terms.deadline, ...limits };
    const scopes = SCOPES.transfer | SCOPES.withdraw;
    await h.exchange.connect(h.alice).grant(h.alice, h.carol, { ...grant, scopes });
    const out = { name: "Withdraw", account: main(h.alice), token: h.token, amount: 1n, to: h.carol.address } as const;
    const a = await signIntent(h.carol, h.addressBook, out, h.terms);
    const steal = () => exchange(h).withdrawFor(out.account, h.token, 1n, out.to, a);
    await refused(h, steal, "KeyWithdrawsToOwner", [h.carol.address, h.carol.address], h.exchange);
    const across = { name: "Transfer", from: main(h.alice), to: h.second, token: h.token, amount: 1n } as const;
    const b = await signIntent(h.carol, h.addressBook, across, h.terms);
    const move = () => exchange(h).transferFor(across.from, across.to, h.token, 1n, b);
    await refused(h, move, "KeyLacksAccount", [h.carol.address, h.second], h.exchange);
  });

  it("MAS-3 what is refused to the owner is refused to his intent, and the intent stays good", async () => {
    const h = await house();
    await h.fund(h.bob, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "90", "2000"); // IM of 180,000 is 9,000 and some
    const all = {
      name: "Withdraw",
      account: main(h.alice),
      token: h.token,
      amount: usdc("9000"),
      to: h.alice.address,
    } as const;
    const a = await signIntent(h.alice, h.addressBook, all, h.terms);
    const bring = () => exchange(h).withdrawFor(all.account, h.token, all.amount, all.to, a);
    await refused(h, bring, "InsufficientMargin");
    expect(await h.exchange.isIntentUsed(h.alice, 7n)).to.equal(false);
    const other = { name: "Transfer", from: main(h.alice), to: main(h.bob), token: h.token, amount: 1n } as const;
    const b = await signIntent(h.alice, h.addressBook, other, h.terms);
    const give = () => exchange(h).transferFor(other.from, other.to, h.token, 1n, b);
    await refused(h, give, "OwnerMismatch", [other.from, other.to]);
  });

  it("AUTH-1 ATTACK-26 a contract wallet's intent is its own, not that of another wallet of the same signer", async () => {
    const h = await house();
    const wallets = await Promise.all([0, 1].map(() => new MockWallet__factory(h.deployer).deploy(h.dave)));
    const [first, second] = await Promise.all(wallets.map(async (w) => accountId(await w.getAddress())));
    await h.fund(h.bob, { cash: "100" }, first);
    await h.fund(h.bob, { cash: "100" }, second);
    const out = { name: "Withdraw", account: first!, token: h.token, amount: usdc("10"), to: h.dave.address } as const;
    const a = await signIntent(h.dave, h.addressBook, out, h.terms);
    const other = () => exchange(h).withdrawFor(second!, h.token, out.amount, out.to, a);
    await refused(h, other, "InvalidIntent", undefined, h.exchange);
    await exchange(h).withdrawFor(first!, h.token, out.amount, out.to, a);
    expect(await h.usdc.balanceOf(h.dave)).to.equal(usdc("10"));
  });
});
