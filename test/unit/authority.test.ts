import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { expect } from "chai";
import type { BaseContract } from "ethers";

import { accountId } from "../../src/sdk/accountId.ts";
import { signIntent } from "../../src/sdk/intents.ts";
import type { Authorisation, Intent } from "../../src/sdk/intents.ts";
import { SCOPES, signGrant, signRevoke, signRevokeAll, UNLIMITED } from "../../src/sdk/sessionKeys.ts";
import type { Grant } from "../../src/sdk/sessionKeys.ts";
import { freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { ANY_TERMS, deal, main, NEVER, refused, sign, usdc } from "../helpers/unit.ts";

/** Every right that there is, with everything of Alice's. */
const EVERYTHING: Grant = {
  scopes: 255n,
  markets: (1n << 64n) - 1n,
  accounts: (1n << 32n) - 1n,
  expiry: 2n ** 32n - 1n,
  priceBand: 1_000_000n,
  dailyNotional: UNLIMITED,
  lossLimit: UNLIMITED,
  equityFloor: 0n,
};

interface Case {
  call: (h: Fixture, who: HardhatEthersSigner) => Promise<unknown>;
  /** The error for who has nothing to do with Alice, and for a revoked key of hers that had every right. */
  stranger: string;
  key?: string;
}

const token = (h: Fixture) => h.usdc.getAddress();
const ledger = (h: Fixture, who: HardhatEthersSigner) => h.clearingHouse.connect(who);
const exchange = (h: Fixture, who: HardhatEthersSigner) => h.exchange.connect(who);

/** Functions of the ledger that move or change something of an owner's: his alone, whatever his keys may do. */
const LEDGER: Record<string, Case> = {
  deposit: { call: (h, who) => ledger(h, who).deposit(main(h.alice), h.weth, wad("1")), stranger: "NotOwner" },
  withdraw: { call: (h, who) => ledger(h, who).withdraw(main(h.alice), h.usdc, 1n, who), stranger: "NotOwner" },
  transfer: {
    call: (h, who) => ledger(h, who).transfer(main(h.alice), accountId(h.alice.address, 1n), h.usdc, 1n),
    stranger: "NotOwner",
  },
  lend: { call: (h, who) => ledger(h, who).lend(main(h.alice), 1n), stranger: "NotOwner" },
  recall: { call: (h, who) => ledger(h, who).recall(main(h.alice), 1n), stranger: "NotOwner" },
  claim: { call: (h, who) => ledger(h, who).claim(main(h.alice), 0n, 1n), stranger: "NotOwner" },
  liquidate: {
    call: (h, who) => ledger(h, who).liquidate(main(h.dave), main(h.alice), ANY_TERMS),
    stranger: "NotOwner",
  },
  cashCall: { call: (h, who) => ledger(h, who).cashCall(main(h.dave), main(h.alice), ANY_TERMS), stranger: "NotOwner" },
  requestExit: { call: (h, who) => ledger(h, who).requestExit(main(h.alice)), stranger: "NotOwner" },
  trackFlows: { call: (h, who) => ledger(h, who).trackFlows(main(h.alice), true), stranger: "NotOwner" },
  setExposureCap: { call: (h, who) => ledger(h, who).setExposureCap(main(h.alice), 0n, 1n), stranger: "NotOwner" },
  removePayee: { call: (h, who) => ledger(h, who).removePayee(h.alice, h.alice), stranger: "NotGuardian" },
  lockDown: { call: (h, who) => ledger(h, who).lockDown(h.alice), stranger: "NotGuardian" },
  unlock: { call: (h, who) => ledger(h, who).unlock(h.alice), stranger: "NotGuardian" },
  trade: { call: (h, who) => ledger(h, who).trade([]), stranger: "NotExchange" },
  payFee: { call: (h, who) => ledger(h, who).payFee(main(h.alice), main(who), 1n), stranger: "NotExchange" },
};

/** What of the ledger is for everybody, concerns the caller only, or is restricted (`access.test.ts`). */
const OPEN = [
  ...["settle", "accrueFunding", "sweepFees", "sweepReserves", "flag", "absorb", "batch"],
  ...["previewTrade", "previewWithdraw", "previewLiquidation", "simulate", "simulateTrade"],
  ...["setGuard", "allowPayee"],
];

async function authorise(h: Fixture, who: HardhatEthersSigner, intent: Intent) {
  const { epoch } = await h.exchange.ownerState(h.alice);
  return signIntent(who, h.addressBook, intent, { nonce: 5n, deadline: NEVER, epoch });
}

async function orders(h: Fixture, who: HardhatEthersSigner) {
  const { epoch } = await h.exchange.ownerState(h.alice);
  return [
    await sign(h, { owner: h.bob, size: "-1", price: "2000", resting: true }),
    await sign(h, { owner: who, account: main(h.alice), size: "1", price: "2000", epoch }),
  ];
}

const MATCH = [{ maker: 0, taker: 1 }];
const key = (h: Fixture) => ({ owner: h.alice.address, key: h.dave.address });

/** Functions of the exchange that act for an owner. */
const EXCHANGE: Record<string, Case> = {
  settle: {
    call: async (h, who) => h.exchange.settle(await orders(h, who), MATCH),
    ...{ stranger: "InvalidSignature", key: "KeyIsRevoked" },
  },
  settleForFee: {
    call: async (h, who) => h.exchange.settleForFee(await orders(h, who), MATCH, main(h.bob)),
    ...{ stranger: "InvalidSignature", key: "KeyIsRevoked" },
  },
  settleEach: {
    call: async (h, who) => h.exchange.settleEach(await orders(h, who), MATCH),
    ...{ stranger: "NothingSettled", key: "NothingSettled" },
  },
  cancel: {
    call: (h, who) => exchange(h, who).cancel(main(h.alice), [1n]),
    ...{ stranger: "NotOwner", key: "KeyIsRevoked" },
  },
  setDeadMan: {
    call: (h, who) => exchange(h, who).setDeadMan(h.alice, NEVER - 1n, 0n),
    ...{ stranger: "UnknownKey", key: "KeyIsRevoked" },
  },
  revokeAllFor: {
    call: async (h, who) =>
      h.exchange.revokeAllFor(h.alice, await signRevokeAll(who, h.addressBook, h.alice.address, 0n)),
    ...{ stranger: "InvalidAuthorisation", key: "InvalidAuthorisation" },
  },
  grant: {
    call: (h, who) => exchange(h, who).grant(h.alice, h.dave, EVERYTHING),
    ...{ stranger: "UnknownKey", key: "KeyIsRevoked" },
  },
  grantFor: {
    call: async (h, who) => {
      const signature = await signGrant(who, h.addressBook, key(h), EVERYTHING, { version: 0n, epoch: 0n });
      return h.exchange.grantFor(h.alice, h.dave, EVERYTHING, signature);
    },
    ...{ stranger: "InvalidAuthorisation", key: "InvalidAuthorisation" },
  },
  revoke: { call: (h, who) => exchange(h, who).revoke(h.alice, h.dave), stranger: "UnknownKey", key: "UnknownKey" },
  revokeFor: {
    call: async (h, who) =>
      h.exchange.revokeFor(h.alice, h.dave, await signRevoke(who, h.addressBook, key(h), { version: 0n, epoch: 0n })),
    ...{ stranger: "InvalidAuthorisation", key: "InvalidAuthorisation" },
  },
  ...intents(),
  setLockdown: { call: (h, who) => exchange(h, who).setLockdown(h.alice, false), stranger: "NotClearingHouse" },
};

function intents(): Record<string, Case> {
  const told = { stranger: "InvalidIntent", key: "KeyIsRevoked" };
  const amount = usdc("1");
  const bring =
    <I extends Intent>(
      of: (h: Fixture) => Promise<I>,
      send: (h: Fixture, i: I, a: Authorisation) => Promise<unknown>,
    ) =>
    async (h: Fixture, who: HardhatEthersSigner) => {
      const i = await of(h);
      return send(h, i, await authorise(h, who, i));
    };
  const account = (h: Fixture) => main(h.alice);
  return {
    depositFor: {
      call: bring(
        async (h) => ({ name: "Deposit" as const, account: account(h), token: await token(h), amount }),
        (h, i, a) => h.exchange.depositFor(i.account, i.token, i.amount, a),
      ),
      ...told,
    },
    withdrawFor: {
      call: bring(
        async (h) => ({
          name: "Withdraw" as const,
          account: account(h),
          token: await token(h),
          amount,
          to: h.alice.address,
        }),
        (h, i, a) => h.exchange.withdrawFor(i.account, i.token, i.amount, i.to, a),
      ),
      ...told,
    },
    transferFor: {
      call: bring(
        async (h) => ({
          name: "Transfer" as const,
          from: account(h),
          to: accountId(h.alice.address, 1n),
          token: await token(h),
          amount,
        }),
        (h, i, a) => h.exchange.transferFor(i.from, i.to, i.token, i.amount, a),
      ),
      ...told,
    },
    lendFor: {
      call: bring(
        (h) => Promise.resolve({ name: "Lend" as const, account: account(h), amount }),
        (h, i, a) => h.exchange.lendFor(i.account, i.amount, a),
      ),
      ...told,
    },
    recallFor: {
      call: bring(
        (h) => Promise.resolve({ name: "Recall" as const, account: account(h), amount }),
        (h, i, a) => h.exchange.recallFor(i.account, i.amount, a),
      ),
      ...told,
    },
  };
}

/** Acts on the caller's own orders, keys and nonces, whoever he is. */
const OWN = ["cancelBelow", "revokeAll", "cancelIntent"];

/** Carol is a key of Alice's with every right, Keeper nobody to her; Dave is liquidatable. */
async function house() {
  const h = await freshHouse();
  for (const who of [h.alice, h.bob]) await h.fund(who, { cash: "10000" });
  await h.fund(h.dave, { cash: "1000" });
  await deal(h, [h.bob, h.dave], "5", "2000");
  await h.setPrice(0, "1850");
  await h.exchange.connect(h.alice).grant(h.alice, h.carol, EVERYTHING);
  return h;
}

const writing = (contract: BaseContract) => {
  const names: string[] = [];
  contract.interface.forEachFunction((f) => {
    if (f.stateMutability !== "view" && f.stateMutability !== "pure") names.push(f.name);
  });
  return names;
};

describe("authority", () => {
  it("AUTH-5 SEG-1 nothing of an owner's moves in the ledger by a stranger's hand, nor by a key's with every right", async () => {
    const h = await house();
    for (const { call, stranger } of Object.values(LEDGER)) {
      for (const who of [h.keeper, h.carol]) await refused(h, () => call(h, who), stranger);
    }
  });

  it("REV-1 AUTH-1 a stranger's and a revoked key's call or signature is refused at every entry point", async () => {
    const h = await house();
    await h.exchange.connect(h.alice).revoke(h.alice, h.carol);
    for (const { call, stranger, key: told = stranger } of Object.values(EXCHANGE)) {
      await refused(h, () => call(h, h.keeper), stranger, undefined, h.exchange);
      await refused(h, () => call(h, h.carol), told, undefined, h.exchange);
    }
  });

  it("AUTH-6 who has no part in the house observes, settles, accrues and liquidates, even in its owner's lockdown", async () => {
    const h = await house();
    const ch = h.clearingHouse.connect(h.keeper);
    const id = main(h.dave);
    await h.clearingHouse.connect(h.dave).lockDown(h.dave);
    await ch.settle(0n, [id]);
    await ch.accrueFunding(0n);
    await ch.sweepReserves();
    await ch.flag(id);
    expect((await ch.auction(id)).flagger).to.equal(h.keeper.address);
    await h.fund(h.keeper, { cash: "10000" });
    const { maintenanceMargin, equity } = await ch.assess(id);
    await ch.liquidate(id, main(h.keeper), ANY_TERMS);
    const after = await ch.assess(id);
    expect(after.equity * maintenanceMargin > equity * after.maintenanceMargin).to.equal(true);
    // A deficit is absorbed, and bad debt's market swept, by nobody in particular too.
    await h.setPrice(0, "1000");
    await ch.liquidate(id, main(h.keeper), ANY_TERMS);
    expect((await ch.assess(id)).equity).to.equal(0n);
    await ch.sweepFees(0n);
  });

  it("AUTH-2 REV-1 the lists above are complete: a new function cannot be forgotten", async () => {
    const h = await freshHouse();
    const restricted = writing(h.clearingHouse).filter((name) =>
      /^(set(?!Guard|Exposure|tle)|delist|pauseNewRisk|endPause)/.test(name),
    );
    const ofLedger = [...Object.keys(LEDGER), ...OPEN, ...restricted];
    expect(writing(h.clearingHouse).toSorted()).to.deep.equal(ofLedger.toSorted());
    expect(writing(h.exchange).toSorted()).to.deep.equal([...Object.keys(EXCHANGE), ...OWN].toSorted());
    expect(Object.values(SCOPES).reduce((sum, bit) => sum | bit, 0n)).to.equal(EVERYTHING.scopes);
  });
});
