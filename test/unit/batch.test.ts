import { expect } from "chai";

import { accountId } from "../../src/sdk/accountId.ts";
import { CallbackToken__factory } from "../../types/index.ts";
import { ETH, freshHouse, wad, WETH } from "../helpers/fixture.ts";
import {
  ANY_TERMS,
  call,
  cashOf,
  deal,
  listCollateral,
  main,
  positionOf,
  refused,
  sign,
  usdc,
} from "../helpers/unit.ts";

describe("batch", () => {
  it("MAM-3 MMS-3 checks margin once, at the end: a trade and the money for it in either order", async () => {
    const h = await freshHouse();
    await h.fund(h.bob, { cash: "10000" });
    await h.usdc.mint(h.alice, usdc("1000"));
    await h.usdc.connect(h.alice).approve(h.vault, usdc("1000"));
    const [ch, ex] = [h.clearingHouse, h.exchange];
    const orders = [
      await sign(h, { owner: h.bob, size: "-1", price: "2000", resting: true }),
      await sign(h, { owner: h.alice, size: "1", price: "2000" }),
    ];
    const trade = call(ex, ex.interface.encodeFunctionData("settle", [orders, [{ maker: 0, taker: 1 }]]));
    const id = main(h.alice);
    const fund = call(ch, ch.interface.encodeFunctionData("deposit", [id, await h.usdc.getAddress(), usdc("1000")]));
    // E = −1 (the fee) against IM = 1.666666667 · 60.0016
    await refused(h, () => ch.connect(h.alice).batch([trade]), "InsufficientMargin", [
      id,
      wad("-1"),
      wad("100.0026666866672"),
    ]);
    const results = await ch.connect(h.alice).batch.staticCall([trade, fund]);
    expect(ch.interface.decodeFunctionResult("deposit", results[1]!)[0]).to.equal(wad("1000"));
    await ch.connect(h.alice).batch([trade, fund]);
    expect((await positionOf(h, id, ETH)).size).to.equal(wad("1"));
    expect(await cashOf(h, id)).to.equal(wad("1000"));
  });

  it("MMS-3 calls nothing but the house, acts as its caller, and reverts whole with the reason of what failed", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "100" });
    const ch = h.clearingHouse;
    const [id, other] = [main(h.alice), accountId(h.alice.address, 1)];
    const token = await h.usdc.getAddress();
    const steal = h.usdc.interface.encodeFunctionData("transfer", [h.bob.address, 1n]);
    const move = call(ch, ch.interface.encodeFunctionData("transfer", [id, other, token, usdc("10")]));
    const tooMuch = call(ch, ch.interface.encodeFunctionData("transfer", [id, other, token, usdc("91")]));
    for (const target of [h.usdc, h.vault, h.riskEngine, h.insuranceFund]) {
      const address = await target.getAddress();
      const foreign = () => ch.connect(h.alice).batch([move, call(target, steal)]);
      await refused(h, foreign, "InvalidBatchTarget", [address]);
    }
    await refused(h, () => ch.connect(h.bob).batch([move]), "NotOwner", [id, h.bob.address]);
    const second = () => ch.connect(h.alice).batch([move, tooMuch]);
    await refused(h, second, "InsufficientCash", [id, wad("90"), wad("91")]);
    // Governance is no part of a batch: the caller is the stranger that he is.
    const govern = call(ch, ch.interface.encodeFunctionData("setTreasury", [h.alice.address]));
    await refused(h, () => ch.connect(h.alice).batch([govern]), "AccessManagedUnauthorized");
    await ch.connect(h.alice).batch([]);
    await ch.connect(h.alice).batch([move, move]);
    expect(await cashOf(h, other)).to.equal(wad("20"));
  });

  it("is no place to enter twice, and cannot be nested", async () => {
    const h = await freshHouse();
    const ch = h.clearingHouse;
    const nested = call(ch, ch.interface.encodeFunctionData("batch", [[]]));
    await refused(h, () => ch.connect(h.alice).batch([nested]), "Reentrancy", []);
  });

  it("shows nobody a number in the middle: margin views revert while a batch is under way", async () => {
    const h = await freshHouse();
    const ch = h.clearingHouse;
    const token = await new CallbackToken__factory(h.deployer).deploy(18);
    await listCollateral(h, 4, token);
    await token.mint(h.alice, wad("1"));
    await token.connect(h.alice).approve(h.vault, wad("1"));
    const id = main(h.alice);
    const deposit = ch.interface.encodeFunctionData("deposit", [id, await token.getAddress(), 1n]);
    const pending = ch.interface.encodeErrorResult("CheckPending");
    for (const data of [
      ch.interface.encodeFunctionData("assess", [id]),
      ch.interface.encodeFunctionData("marginRatio", [id]),
      ch.interface.encodeFunctionData("marginState", [id]),
      ch.interface.encodeFunctionData("health", [id]),
      ch.interface.encodeFunctionData("freeCollateral", [id]),
      ch.interface.encodeFunctionData("liquidationPrices", [id, ETH]),
      ch.interface.encodeFunctionData("loans", [id]),
      ch.interface.encodeFunctionData("lending"),
      ch.interface.encodeFunctionData("account", [id]),
      ch.interface.encodeFunctionData("positionPnl", [id, ETH]),
      ch.interface.encodeFunctionData("collateralBalance", [id, WETH]),
      ch.interface.encodeFunctionData("totalFlaggedDeficit"),
      ch.interface.encodeFunctionData("requireCash", [id, 0n]),
    ]) {
      await token.setCallback(ch, data);
      const tx = ch.connect(h.alice).batch([call(ch, deposit)]);
      await expect(tx).to.emit(token, "CalledBack").withArgs(false, pending);
      await expect(tx).to.emit(ch, "Deposited");
    }
  });

  it("LIQ-6 goes on only while an account has the cash that it must have, and fails for little gas if not", async () => {
    const h = await freshHouse();
    const ch = h.clearingHouse;
    const id = await h.fund(h.alice, { cash: "1100" });
    const taker = await h.fund(h.bob, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "10", "2000"); // fee 10
    await h.setPrice(ETH, "1930"); // E = 390 < MM = 579.15; after a tenth about 387 and 521
    const slice = call(
      ch,
      ch.interface.encodeFunctionData("liquidate", [id, taker, { ...ANY_TERMS, maxFraction: wad("0.1") }]),
    );
    const guarded = (cash: bigint) => [
      call(ch, ch.interface.encodeFunctionData("requireCash", [id, cash])),
      { ...slice },
    ];
    const take = (cash: bigint) => ch.connect(h.bob).batch(guarded(cash), { gasLimit: 500_000n });
    await refused(h, () => take(wad("1099")), "AccountChanged", [id, wad("1100"), wad("1099")]);
    await take(wad("1100"));
    // Who comes second is late, although the account is liquidatable still.
    const left = await cashOf(h, id);
    expect(await ch.marginState(id)).to.equal(2n);
    await refused(h, () => take(wad("1100")), "AccountChanged", [id, left, wad("1100")]);
    await take(left);
  });

  it("CRA-3 knows one price per underlying, whatever its feed says in the middle", async () => {
    const h = await freshHouse();
    const ch = h.clearingHouse;
    const id = await h.fund(h.alice, { cash: "10000" });
    await h.fund(h.bob, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "5", "2000"); // fee 5
    const token = await new CallbackToken__factory(h.deployer).deploy(18);
    await listCollateral(h, 4, token);
    await token.mint(h.alice, wad("1"));
    await token.connect(h.alice).approve(h.vault, wad("1"));
    const cash = await h.usdc.getAddress();
    const out = call(ch, ch.interface.encodeFunctionData("withdraw", [id, cash, usdc("9000"), h.alice.address]));
    const bring = call(ch, ch.interface.encodeFunctionData("deposit", [id, await token.getAddress(), 1n]));
    const settle = call(ch, ch.interface.encodeFunctionData("settle", [ETH, [id]]));
    // The deposit halves the price. At 2,000 E = 9,995, at 1,000 settling leaves 4,995 of cash; IM needs 500.07 and 250.02.
    const halve = h.feeds[ETH].interface.encodeFunctionData("updateAnswer", [1_000n * 10n ** 8n]);
    await token.setCallback(h.feeds[ETH], halve);
    const late = () => ch.connect(h.alice).batch([bring, settle, out]);
    await refused(h, late, "InsufficientCash", [id, wad("4995"), wad("9000")]);
    // Settled at 2,000, everything that follows is at 2,000, the check at the end too.
    const tx = ch.connect(h.alice).batch([settle, bring, out]);
    await expect(tx).to.emit(token, "CalledBack").withArgs(true, "0x");
    expect(await cashOf(h, id)).to.equal(wad("995"));
    expect(await ch.marginState(id)).to.equal(3n);
  });

  it("MMS-3 judges nobody whose own change is still unchecked", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "2000" });
    await h.fund(h.bob, { cash: "100000" });
    await deal(h, [h.bob, h.alice], "10", "2000");
    const ch = h.clearingHouse;
    const [own, foreign] = [main(h.alice), main(h.bob)];
    const token = await h.usdc.getAddress();
    // Alice makes herself look bad within a batch; what she did is not checked yet, so nothing may be built on it.
    const away = ch.interface.encodeFunctionData("transfer", [own, accountId(h.alice.address, 1), token, usdc("1900")]);
    const flag = ch.interface.encodeFunctionData("flag", [own]);
    const absorb = ch.interface.encodeFunctionData("absorb", [own]);
    const batch = (...data: string[]) => ch.connect(h.alice).batch(data.map((d) => call(ch, d)));
    await refused(h, () => batch(away, flag), "CheckPending", []);
    await refused(h, () => batch(away, absorb), "CheckPending", []);
    // Liquidating in a batch whose own trade has just put the other account up for a check.
    const orders = [
      await sign(h, { owner: h.bob, size: "-1", price: "2000", resting: true }),
      await sign(h, { owner: h.alice, size: "1", price: "2000" }),
    ];
    const trade = call(
      h.exchange,
      h.exchange.interface.encodeFunctionData("settle", [orders, [{ maker: 0, taker: 1 }]]),
    );
    const take = ch.interface.encodeFunctionData("cashCall", [foreign, own, ANY_TERMS]);
    await refused(h, () => ch.connect(h.alice).batch([trade, call(ch, take)]), "CheckPending", []);
  });
});
