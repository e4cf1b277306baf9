import { expect } from "chai";
import { MaxUint256 } from "ethers";

import { accountId, isolatedAccountId } from "../../src/sdk/accountId.ts";
import { MockERC20__factory } from "../../types/index.ts";
import { setAnswer } from "../helpers/anvil.ts";
import { deployPermit2By, PERMIT2 } from "../helpers/permit2.ts";
import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";
import { ask, fails, tell, type } from "./support.ts";

interface Standing {
  readonly account: string;
  readonly state: string;
  readonly equity: string;
  readonly initialMargin: string;
  readonly maintenanceMargin: string;
  readonly freeCollateral: string;
  readonly prices: Record<string, { marginCall: Record<string, string>; liquidation: Record<string, string> }>;
}

interface Moved {
  readonly whatIf: { account: string; before: Standing; after: Standing; maximumLoss?: string }[];
  readonly accounts: Standing[];
}

describe("plimsoll account, deposit, withdraw, transfer, lend, recall, borrow, risk", () => {
  let venue: Venue;
  let [alice, bob, carol]: Trader[] = [];

  before(async () => {
    venue = await Venue.open();
    [alice, bob, carol] = [await venue.trader("100000"), await venue.trader("10000"), await venue.trader("1000")];
    // Bob buys 10 ETH at 2,000 from Alice. MM = 20,000 · 3 % + 20,000² · 2 % / 50 M = 600.16, IM = 5/3 of it, fee 5 bp = 10.
    const orders = [await venue.order(alice, "-10", "2000", { resting: true }), await venue.order(bob, "10", "2000")];
    await alice.house.settleOrders(orders, [{ maker: 0, taker: 1 }]);
  });
  after(() => venue.close());

  /** Has the ETH feed answer a price. */
  async function setPrice(usd: bigint): Promise<void> {
    await setAnswer(venue.anvil, venue.book.underlyings[0]!.feed, usd * 10n ** 8n);
  }

  it("MMS-7 risk health, stress and prices say what the engine says, in numbers and in words", async () => {
    const health = await ask<Standing>(venue, ["risk", "health"], { as: bob! });
    expect(health).to.include({ account: "main", state: "healthy", equity: "9990", maintenanceMargin: "600.16" });
    // 9,990 + 10·(P − 2,000) = 0.3·P + 4e-8·P² gives 1,031.963…; with 5/3 of the right side 1,053.69…
    expect(health.prices.ETH!.liquidation.down).to.match(/^1031\.963/);
    expect(health.prices.ETH!.marginCall.down).to.match(/^1053\.69/);

    const { shocks } = await ask<{ shocks: Record<string, string>[] }>(venue, ["risk", "stress"], { as: bob! });
    expect(shocks.map(({ factor }) => factor)).to.include.members(["0.3", "1", "3"]);
    // 9,990 − 10·600 = 3,990 at 1,400: MM = 14,000 · 3 % + 14,000² · 4e-10 = 420.0784.
    expect(shocks.find(({ factor }) => factor === "0.7")).to.include({ equity: "3990", maintenanceMargin: "420.0784" });
    // 9,990 − 10·1,000 < 0
    expect(shocks.find(({ factor }) => factor === "0.5")).to.include({ state: "bankrupt", equity: "-10" });
    expect(await tell(venue, ["risk", "stress", "--shock", "0.7", "--underlying", "ETH"], { as: bob! })).to.match(
      /×0\.70 +3,990\.00 +700\.14 +420\.08 +9\.49× +healthy/,
    );
    const prices = await tell(venue, ["risk", "prices"], { as: bob! });
    expect(prices).to.match(/ETH +2,000\.00 +1,053\.69 \(-47\.3\d? %\) +1,031\.96 \(-48\.4\d? %\) +– +–/);
  });

  it("MMS-7 risk what-if shows both margins and both prices before and after a trade", async () => {
    const { before, after, ...rest } = await ask<{ before: Standing; after: Standing; fee: string; accepted: boolean }>(
      venue,
      ["risk", "what-if", "sell", "4", "eth-perp"],
      { as: bob! },
    );
    // A fee of 5 bp of 8,000; MM of 12,000 · 3 % + 12,000² · 4e-10 is left.
    expect(rest).to.include({ fee: "4", accepted: true });
    expect(before.equity).to.equal("9990");
    expect(after).to.include({ equity: "9986", maintenanceMargin: "360.0576" });
    // 9,986 + 6·(P − 2,000) = 0.18·P + 1.44e-8·P²: 5.82·P − 1.44e-8·P² = 2,014 gives 346.04…
    expect(after.prices.ETH!.liquidation.down).to.match(/^346\.04/);
    const refused = await tell(venue, ["risk", "what-if", "buy", "200", "0", "--price", "2001"], { as: bob! });
    expect(refused).to.match(/The ledger would refuse this: the account would not have the margin\./);
  });

  it("CM-5 CRA-5 CRE-4 CRE-5 risk breakdown says what could drain the account", async () => {
    interface Parts {
      readonly underlyings: Record<string, string>[];
      readonly jointMove: string;
      readonly takesAll: string[];
    }
    const { underlyings, jointMove, takesAll } = await ask<Parts>(venue, ["risk", "breakdown"], { as: bob! });
    // 10 ETH at 2,000: IM is 600.16 · 1.666666667, 30 % is 6,000; the liquidation price 1,031.963 is 48.4018 % away.
    expect(underlyings).to.deep.equal([
      {
        ...{
          underlying: "ETH",
          net: "20000",
          maintenanceMargin: "600.16",
          initialMargin: underlyings[0]!.initialMargin,
        },
        ...{ liquidatingMove: "-0.484018", loss: "6000" },
      },
    ]);
    expect({ jointMove, takesAll }).to.deep.equal({ jointMove: "0.484019", takesAll: [] });
    const halved = await tell(venue, ["risk", "breakdown", "--move", "0.5"], { as: bob! });
    expect(halved)
      .to.match(/ETH +20,000\.00 +1,000\.27 +600\.16 +-48\.4 % +10,000\.00/)
      .and.match(/\nETH alone can take all: 10,000\.00 of 9,990\.00 USD\./);
  });

  it("wrong input of risk ends with 2 and a typed error", async () => {
    await fails(venue, ["risk", "what-if", "hold", "4", "ETH-PERP"], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["risk", "what-if", "buy", "4", "DOGE-PERP"], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["risk", "what-if", "buy", "four", "ETH-PERP"], "InvalidAmount", 2, { as: bob! });
    await fails(venue, ["risk", "stress", "--shock", "-1"], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["risk", "breakdown", "--move", "1.5"], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["risk", "health"], "NoKey", 2);
    const bare = await type(venue, ["risk"]);
    expect(bare).to.include({ code: 2, out: "" });
    expect(bare.err).to.match(/^Usage: plimsoll risk/);
  });

  it("deposit asks, shows the account before and after, and takes no for an answer", async () => {
    const no = await type(venue, ["deposit", "500"], { as: carol!, answers: ["n"] });
    expect(no.code).to.equal(1);
    expect(no.asked).to.deep.equal(["Send it? [y/N] "]);
    expect(no.err)
      .to.match(/equity +1,000\.00 +1,500\.00/)
      .and.match(/\nDeclined: nothing was done/);
    const yes = await type(venue, ["deposit", "500"], { as: carol!, answers: ["y"] });
    expect(yes.code).to.equal(0);
    expect(yes.out)
      .to.match(/^Done: deposit 500 USDC into main\.\n/)
      .and.match(/equity +1,500\.00/);
    await fails(venue, ["deposit", "1"], "ConfirmationRequired", 2, { as: carol! });
  });

  it("deposit, transfer and withdraw collateral and cash between accounts by their names", async () => {
    const weth = MockERC20__factory.connect(venue.book.collaterals[0]!.token, carol!.wallet);
    await (await weth.mint(carol!.wallet.address, 10n ** 18n)).wait();
    const deposited = await ask<Moved>(venue, ["deposit", "1", "weth", "--account", "7"], { as: carol! });
    expect(deposited.accounts[0]).to.include({ account: "7", equity: "2000" });
    await ask(venue, ["transfer", "0.4", "WETH", "--account", "7", "--to", "8"], { as: carol! });
    const id = accountId(carol!.wallet.address, 8);
    expect(await carol!.house.clearingHouse.collateralBalance(id, 0)).to.equal(4n * 10n ** 17n);
    const out = await ask<Moved>(venue, ["withdraw", "0.4", "WETH", "--account", id.toString()], { as: carol! });
    expect(out.accounts[0]).to.include({ account: "8", equity: "0" });
    expect(await weth.balanceOf(carol!.wallet.address)).to.equal(4n * 10n ** 17n);
  });

  it("AUTH-1 deposit --permit takes a permit of the token or of Permit2, and no approval before it", async () => {
    const dave = await venue.trader("1"); // his allowance is used up
    const at = { as: dave };
    const allowance = () =>
      MockERC20__factory.connect(venue.book.cash.token, dave.wallet).allowance(
        dave.wallet.address,
        venue.book.contracts.vault,
      );
    const sent = () => dave.wallet.getNonce();
    const before = await sent();
    const shown = await type(venue, ["deposit", "40", "--permit"], { ...at, answers: ["y"] });
    expect(shown.code, shown.err).to.equal(0);
    expect(shown.err)
      .to.match(/by a permit of +USDC/)
      .and.match(/equity +1\.00 +41\.00/);
    expect([await sent(), await allowance()]).to.deep.equal([before + 1, 0n]);

    await fails(venue, ["deposit", "1", "--permit", "permit3"], "InvalidValue", 2, at);
    await fails(venue, ["deposit", "2000000000", "--permit", "--yes"], "InsufficientTokens", 3, at);
    await fails(venue, ["deposit", "1", "wstETH", "--permit", "--yes"], "InsufficientTokens", 3, at);
    await deployPermit2By(dave.wallet);
    await fails(venue, ["deposit", "1", "--permit", "permit2", "--yes"], "TransferFromFailed", 3, at); // not approved for Permit2
    await (await MockERC20__factory.connect(venue.book.cash.token, dave.wallet).approve(PERMIT2, MaxUint256)).wait();
    const deposited = await ask<Moved>(venue, ["deposit", "9", "--permit", "permit2"], at);
    expect(deposited.accounts[0]).to.include({ equity: "50" });
    expect(await allowance()).to.equal(0n);
  });

  it("ISO-6 the maximum loss is one number before confirming, and what a gap then takes", async () => {
    const into = ["--account", "isolated:ETH-PERP:2"];
    const shown = await type(venue, ["transfer", "300", "--to", "isolated:ETH-PERP:2"], { as: carol!, answers: ["y"] });
    expect(shown.err).to.match(/Maximum loss of isolated:ETH-PERP:2: 300\.00 USD/);
    const account = isolatedAccountId(carol!.wallet.address, 0, 2);
    const orders = [
      await venue.order(alice!, "-2", "2000", { resting: true }),
      await venue.order({ ...carol!, account }, "2", "2000"),
    ];
    await carol!.house.settleOrders(orders, [{ maker: 0, taker: 1 }]);
    const before = await carol!.house.health(accountId(carol!.wallet.address));
    await setPrice(1000n); // 2 ETH lose 2,000, of which the account has 300
    await bob!.house.flag(account);
    await alice!.house.liquidate(account, alice!.account);
    expect((await ask<Standing>(venue, ["risk", "health", ...into], { as: carol! })).equity).to.equal("0");
    const after = await carol!.house.health(accountId(carol!.wallet.address));
    expect(after.equity).to.equal(before.equity);
    await setPrice(2000n);
  });

  it("MAS-7 refusals carry their numbers, and the exit code says who refused", async () => {
    const told = await fails(venue, ["withdraw", "9500", "--yes"], "InsufficientMargin", 3, { as: bob! });
    // 9,990 − 9,500 against IM = 5/3 · 600.16
    expect(told.fields).to.include({ account: "main", equity: "490" });
    expect(told.fields.required).to.match(/^1000\.26666/);
    const tokens = await fails(venue, ["deposit", "2000000000", "--yes"], "InsufficientTokens", 3, { as: bob! });
    expect(tokens.fields).to.include({ symbol: "USDC", required: "2000000000" });
    await fails(venue, ["withdraw", "0"], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["withdraw", "1.0000001"], "InvalidAmount", 2, { as: bob! });
    await fails(venue, ["withdraw", "1", "DOGE"], "UnknownSymbol", 2, { as: bob! });
    await fails(venue, ["transfer", "1"], "InvalidCommandLine", 2, { as: bob! });
    await fails(venue, ["transfer", "1", "--to", "isolated:XAU"], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["withdraw", "1", "--owner", "0x12"], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["account", "show", "--rpc-url", "http://127.0.0.1:9"], "NodeUnreachable", 4, { as: bob! });
    await fails(venue, ["account", "show", "--rpc-url", "nonsense"], "InvalidSettings", 2, { as: bob! });
    await fails(venue, ["account", "show", "--address-book", "/nowhere"], "InvalidAddressBook", 2, { as: bob! });
  });

  it("CMA-7 borrow shows debt, APR, interest so far, and margin call and liquidation at two prices", async () => {
    await ask(venue, ["lend", "50000"], { as: alice! });
    expect((await ask(venue, ["borrow"], { as: alice! })).lent).to.equal("50000");
    const weth = MockERC20__factory.connect(venue.book.collaterals[0]!.token, bob!.wallet);
    await (await weth.mint(bob!.wallet.address, 10n ** 19n)).wait();
    const at = { as: bob! };
    await ask(venue, ["deposit", "10", "WETH", "--account", "1"], at);
    const room = await ask(venue, ["borrow", "--account", "1"], at);
    // Debt b on 10 WETH: 20,000 − b ≥ IM = 5/3 · (600 + 0.16) + 20,000 · 10 % = 3,000.2666…
    expect(room.borrowable).to.match(/^16999\.7333/);
    const about = await type(venue, ["withdraw", "10000", "--account", "1"], { ...at, answers: ["y"] });
    expect(about.err).to.match(/borrows +10,000\.00 USD/);
    await venue.anvil.provider.send("evm_increaseTime", [30 * 24 * 3600]);
    await venue.anvil.provider.send("evm_mine", []);
    const owed = await ask<{ debt: string; interestSoFar: string; pool: Record<string, string> }>(
      venue,
      ["borrow", "--account", "1"],
      at,
    );
    // A fifth of the pool is borrowed: 4 % · 20 / 80 = 1 % a year, compounded: 10,000 · (e^(0.01 · 30 / 365) − 1) = 8.2225…
    expect(owed.pool.borrowApr).to.match(/^0\.0(?:1|0999999)/);
    expect(owed.interestSoFar).to.match(/^8\.222/);
    expect(owed.debt).to.match(/^10008\.222/);
    await fails(venue, ["risk", "prices"], "MissingPrice", 3, at); // the feed is a month old
    await setPrice(2000n);
  });

  it("CMA-7 the interest on a debt that is liquidated in part goes with its part", async () => {
    const id = accountId(bob!.wallet.address, 1);
    await setPrice(1060n); // E = 10,600 − 10,008 = 592 is below MM = 10,600 · (3 % + 7 %)
    await alice!.house.flag(id);
    await alice!.house.liquidate(id, alice!.account);
    const { debt, interestSoFar } = await ask<{ debt: string; interestSoFar: string }>(
      venue,
      ["borrow", "--account", "1"],
      { as: bob! },
    );
    expect(Number(debt)).to.be.lessThan(10_000);
    expect(Number(interestSoFar) >= 0 && Number(interestSoFar) < 8.3, interestSoFar).to.equal(true);
    await setPrice(2000n);
  });

  it("recall brings lent cash back, and no more than was lent", async () => {
    const { accounts } = await ask<Moved>(venue, ["recall", "10000"], { as: alice! });
    expect(accounts[0]!.account).to.equal("main");
    await fails(venue, ["recall", "100000", "--yes"], "InsufficientLiquidity", 3, { as: alice! });
    await fails(venue, ["lend", "-5"], "InvalidValue", 2, { as: alice! });
    await fails(venue, ["lend", "x"], "InvalidAmount", 2, { as: alice! });
    await fails(venue, ["borrow", "--account", "?"], "InvalidValue", 2, { as: alice! });
    expect(await tell(venue, ["borrow"], { as: alice! })).to.match(/interest so far +[\d.]+ earned/);
  });

  it("SEG-6 account list has every account with its own ratio; a statement tells what happened to one", async () => {
    const owner = bob!.wallet.address;
    const { accounts } = await ask<{ accounts: Standing[] }>(venue, ["account", "list", "--owner", owner]);
    expect(accounts.map(({ account }) => account)).to.deep.equal(["main", "1"]);
    const listed = await tell(venue, ["account", "list", "--owner", owner]);
    expect(listed).to.match(/main +healthy +9,990\.00 +1,000\.27 +600\.16 +16\.64×/);
    const { entries } = await ask<{ entries: Record<string, string>[] }>(venue, ["account", "statement"], { as: bob! });
    expect(entries.map(({ what, amount, of, cost }) => ({ what, amount, of, cost }))).to.deep.equal([
      { what: "deposit", amount: "10000", of: "USDC", cost: undefined },
      { what: "buy", amount: "10", of: "ETH-PERP", cost: "10" },
    ]);
    expect(await tell(venue, ["account", "statement"], { as: bob! })).to.match(/buy +10 +ETH-PERP +2,000\.00 +10\.00/);
    const shown = await ask<{ positions: object[]; cash: string }>(venue, ["account", "show"], { as: bob! });
    expect(shown.cash).to.equal("10000");
    // bought at 2,000, a fee of 10 on 10; traded at the index, so there is no premium that funding could follow
    expect(shown.positions).to.deep.equal([
      {
        ...{ market: "ETH-PERP", size: "10", entryPrice: "2001", indexPrice: "2000", notional: "20000", pnl: "-10" },
        fundingPerDay: "0",
      },
    ]);
    expect(await tell(venue, ["account", "show"], { as: bob! })).to.match(/cash +USDC +10,000 +10,000\.00/);
    await fails(venue, ["account", "show", "--account", "isolated:"], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["account", "list", "--owner", "bob"], "InvalidValue", 2);
    await fails(venue, ["account", "statement", "--nothing"], "InvalidCommandLine", 2);
  });
});
