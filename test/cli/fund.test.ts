import { expect } from "chai";

import { isolatedAccountId } from "../../src/sdk/accountId.ts";
import { settleCall } from "../../src/sdk/calls.ts";
import { formatWad, parseWad } from "../../src/sdk/units.ts";
import { MockERC20__factory } from "../../types/index.ts";
import { setAnswer } from "../helpers/anvil.ts";
import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";
import { ask, fails, tell, type } from "./support.ts";

const DAY = 86_400;

interface Shown {
  readonly assets: string;
  readonly cooldown: number;
  readonly owner: {
    readonly shares: string;
    readonly value: string;
    readonly request: { readonly shares: string; readonly from: number; readonly until: number } | null;
    readonly redeemable: string;
  };
}

interface Claimed {
  readonly claimed: string;
  readonly paid: string;
}

describe("plimsoll fund", () => {
  let venue: Venue;
  let alice: Trader;

  before(async () => {
    venue = await Venue.open();
    alice = await venue.trader("1");
  });
  after(() => venue.close());

  const at = () => ({ as: alice });
  const show = () => ask<Shown>(venue, ["fund", "show"], at());
  const cashOf = () => MockERC20__factory.connect(venue.book.cash.token, alice.wallet).balanceOf(alice.wallet.address);

  it("deposits for shares after asking, and shows the fund to whoever has no key", async () => {
    const typed = await type(venue, ["fund", "deposit", "1000"], { ...at(), answers: ["y"] });
    expect(typed.code, typed.err).to.equal(0);
    expect(typed.err)
      .to.match(/To deposit 1000 USDC into the insurance fund\n/)
      .and.match(/shares +1,000\n/);
    expect(typed.out)
      .to.match(/shares +1,000, worth 1,000\.00\n/)
      .and.match(/request +none\n/);
    const shown = await show();
    expect(shown).to.include({ assets: "1000", cooldown: 3 * DAY });
    expect(shown.owner).to.include({ shares: "1000", value: "1000", request: null, redeemable: "0" });
    expect(await tell(venue, ["fund", "show"])).to.match(
      /cash +1,000\.00\n[^]*leaving +3 days after a request, for 2 days\n$/,
    );
  });

  it("lets nobody leave before his request has matured, and says what can leave", async () => {
    const early = await fails(venue, ["fund", "redeem", "400", "--yes"], "ERC4626ExceededMaxRedeem", 3, at());
    expect(early.fields).to.include({ owner: alice.wallet.address, shares: "400", max: "0" });
    await ask(venue, ["fund", "request", "500"], at());
    const { owner } = await show();
    expect(owner.request).to.include({ shares: "500" });
    expect(owner.request!.until - owner.request!.from).to.equal(2 * DAY);
    await fails(venue, ["fund", "redeem", "all", "--yes"], "ERC4626ExceededMaxRedeem", 3, at());

    await venue.anvil.provider.send("evm_increaseTime", [3 * DAY]);
    await venue.anvil.provider.send("evm_mine", []);
    expect((await show()).owner.redeemable).to.equal("500");
    const before = await cashOf();
    await ask(venue, ["fund", "redeem", "400"], at());
    await ask(venue, ["fund", "withdraw", "60"], at());
    expect((await cashOf()) - before).to.equal(460_000_000n);
    const late = await fails(venue, ["fund", "withdraw", "60", "--yes"], "ERC4626ExceededMaxWithdraw", 3, at());
    expect(late.fields).to.include({ assets: "60", max: "40" });
    const left = await ask<Shown>(venue, ["fund", "redeem", "all"], at());
    expect(left.owner).to.include({ shares: "500", value: "500", request: null });
    await ask(venue, ["fund", "request", "all"], at());
    expect((await show()).owner.request).to.include({ shares: "500" });
    expect((await ask<Shown>(venue, ["fund", "request", "0"], at())).owner.request).to.equal(null);
  });

  it("wrong input ends with a typed error", async () => {
    await fails(venue, ["fund", "deposit", "0"], "InvalidValue", 2, at());
    await fails(venue, ["fund", "deposit", "1.0000001"], "InvalidAmount", 2, at());
    await fails(venue, ["fund", "deposit", "2000000000", "--yes"], "InsufficientTokens", 3, at());
    await fails(venue, ["fund", "deposit", "1"], "ConfirmationRequired", 2, at());
    await fails(venue, ["fund", "request", "some", "--yes"], "InvalidAmount", 2, at());
    await fails(venue, ["fund", "request", "501", "--yes"], "ERC20InsufficientBalance", 3, at());
    await fails(venue, ["fund", "redeem", "0", "--yes"], "InvalidValue", 2, at());
    await fails(venue, ["fund", "withdraw", "x", "--yes"], "InvalidAmount", 2, at());
  });
});

describe("plimsoll claim", () => {
  let venue: Venue;
  let [alice, bob, carol, dave]: Trader[] = [];

  before(async () => {
    venue = await Venue.open();
    [alice, bob] = [await venue.trader("100000"), await venue.trader("100000")];
    [carol, dave] = [await venue.trader("1000"), await venue.trader("50000")];
    await sell(bob, "10", "2000");
  });
  after(() => venue.close());

  const at = () => ({ as: alice! });

  /** Alice sells to somebody; as the maker she pays no fee. */
  async function sell(to: Trader, size: string, price: string): Promise<void> {
    const orders = [
      await venue.order(alice!, `-${size}`, price, { resting: true }),
      await venue.order(to, size, price),
    ];
    await alice!.house.settleOrders(orders, [{ maker: 0, taker: 1 }]);
  }

  async function setPrice(usd: bigint): Promise<void> {
    await setAnswer(venue.anvil, venue.book.underlyings[0]!.feed, usd * 10n ** 8n);
  }

  it("FSA-5 pays profit from settled losses only: part of it, then all", async () => {
    await fails(venue, ["claim", "ETH-PERP", "--yes"], "NothingPaid", 3, at()); // no profit
    await setPrice(1900n); // ten ETH short since 2,000: 1,000 of profit
    await fails(venue, ["claim", "ETH-PERP", "--yes"], "NothingPaid", 3, at()); // an empty pool
    await bob!.house.send(settleCall(venue.book, 0, [bob!.account]));
    expect(await ask<Claimed>(venue, ["claim", "ETH-PERP", "250"], at())).to.include({ claimed: "250", paid: "250" });
    await fails(venue, ["claim", "ETH-PERP", "750.1", "--yes"], "NothingToClaim", 3, at());
    const typed = await type(venue, ["claim", "eth-perp"], { ...at(), answers: ["y"] });
    expect(typed.err)
      .to.match(/profit +750\.00\n/)
      .and.match(/pays now +750\.00\n/);
    expect(typed.out).to.match(/^Paid 750\.00 USD for 750\.00 of profit\.\n/);
    expect((await alice!.house.view(alice!.account)).account.cash).to.equal(parseWad("101000"));
    const hash = /Transaction (0x[0-9a-f]{64})/.exec(typed.out)?.[1] ?? "";
    const sent = await venue.anvil.provider.getTransaction(hash);
    // not a claim of 750, which would fail if a little of it were gone
    expect(alice!.house.clearingHouse.interface.parseTransaction(sent!)?.name).to.equal("settle");
  });

  it("FSA-5 shares the pool among claims while bad debt stands", async () => {
    const account = isolatedAccountId(carol!.wallet.address, 0);
    await carol!.house.transfer(carol!.account, account, "USDC", "300");
    await sell({ ...carol!, account }, "2", "1900");
    await setPrice(1000n); // Carol loses 1,800 and has 300: most of the rest is bad debt
    await dave!.house.flag(account);
    await dave!.house.liquidate(account, dave!.account);
    await bob!.house.send(settleCall(venue.book, 0, [bob!.account]));
    const { pool, badDebt } = (await alice!.house.state()).markets.get(0)!;
    expect([pool > parseWad("1000"), badDebt > parseWad("1000")]).to.deep.equal([true, true]);
    // s = pool / (pool + bad debt) of 100, rounded down
    const paid = (parseWad("100") * pool) / (pool + badDebt);
    expect(await ask<Claimed>(venue, ["claim", "ETH-PERP", "100"], at())).to.include({
      claimed: "100",
      paid: formatWad(paid),
    });
    const typed = await type(venue, ["claim", "ETH-PERP", "100"], { ...at(), answers: ["n"] });
    expect(typed.code).to.equal(1);
    expect(typed.err).to.match(/paid of each dollar +\d\d\.\d+ %\n/);
  });

  it("wrong input ends with a typed error", async () => {
    const told = await fails(venue, ["claim", "ETH-PERP", "1000000", "--yes"], "NothingToClaim", 3, at());
    expect(told.fields).to.include({ account: "main", market: "ETH-PERP", claim: "1000000" });
    await fails(venue, ["claim", "XAU", "--yes"], "InvalidValue", 2, at());
    await fails(venue, ["claim", "ETH-PERP", "-1", "--yes"], "InvalidValue", 2, at());
    await fails(venue, ["claim", "ETH-PERP", "much", "--yes"], "InvalidAmount", 2, at());
    await fails(venue, ["claim", "ETH-PERP", "1", "--yes", "--owner", alice!.wallet.address], "NotOwner", 3, {
      as: bob!,
    });
  });
});
