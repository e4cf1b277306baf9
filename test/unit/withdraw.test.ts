import { expect } from "chai";
import { MaxUint256, ZeroAddress } from "ethers";

import { MockERC20__factory } from "../../types/index.ts";
import { ETH, freshHouse, wad, WETH } from "../helpers/fixture.ts";
import { cashOf, deal, main, overflows, refused, usdc } from "../helpers/unit.ts";

describe("withdraw", () => {
  it("sends cash and collateral wherever the owner says", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "100", weth: "2", wbtc: "0.5" });
    const house = h.clearingHouse.connect(h.alice);
    await expect(house.withdraw(main(h.alice), h.usdc, usdc("40.5"), h.bob))
      .to.emit(h.clearingHouse, "Withdrawn")
      .withArgs(main(h.alice), await h.usdc.getAddress(), h.bob.address, wad("40.5"));
    await house.withdraw(main(h.alice), h.weth, wad("2"), h.alice);
    await house.withdraw(main(h.alice), h.wbtc, 20_000_000n, h.alice); // 0.2
    expect(await h.usdc.balanceOf(h.bob)).to.equal(usdc("40.5"));
    expect(await cashOf(h, main(h.alice))).to.equal(wad("59.5"));
    expect(await h.clearingHouse.collateralBalance(main(h.alice), WETH)).to.equal(0n);
    expect(await h.clearingHouse.collateralBalance(main(h.alice), 1)).to.equal(wad("0.3"));
    expect((await h.clearingHouse.account(main(h.alice))).collaterals).to.equal(0b10n);
  });

  it("sends all there is for the largest amount: cash, what is lent too, nothing borrowed, and collateral", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "100.5", weth: "2" });
    const [id, house] = [main(h.alice), h.clearingHouse.connect(h.alice)];
    await refused(h, () => house.withdraw(id, h.wbtc, MaxUint256, h.alice), "ZeroAmount", []);
    await house.lend(id, usdc("60"));
    await expect(house.withdraw(id, h.usdc, MaxUint256, h.bob))
      .to.emit(h.clearingHouse, "Withdrawn")
      .withArgs(id, await h.usdc.getAddress(), h.bob.address, wad("100.5"));
    expect(await h.usdc.balanceOf(h.bob)).to.equal(usdc("100.5"));
    await house.withdraw(id, h.weth, MaxUint256, h.alice);
    expect(await h.weth.balanceOf(h.alice)).to.equal(wad("2"));
    expect(await h.clearingHouse.account(id)).to.deep.equal([0n, 0n, 0n, 0n]);
  });

  it("refuses bad input", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "100", weth: "2" });
    const id = main(h.alice);
    const house = h.clearingHouse.connect(h.alice);
    const stranger = await new MockERC20__factory(h.alice).deploy("Stranger", "STR", 18);
    const address = await stranger.getAddress();
    const theft = () => h.clearingHouse.connect(h.bob).withdraw(id, h.usdc, 1n, h.bob);
    await refused(h, theft, "NotOwner", [id, h.bob.address]);
    await refused(h, () => house.withdraw(id, h.usdc, 0n, h.alice), "ZeroAmount", []);
    await refused(h, () => house.withdraw(id, h.usdc, 1n, ZeroAddress), "ZeroAddress", []);
    await refused(h, () => house.withdraw(id, stranger, 1n, h.alice), "UnknownAsset", [address]);
    await refused(h, () => house.withdraw(id, h.usdc, usdc("100") + 1n, h.alice), "InsufficientCash", [
      id,
      wad("100"),
      wad("100.000001"),
    ]);
    await refused(h, () => house.withdraw(id, h.weth, wad("2") + 1n, h.alice), "InsufficientCollateral", [
      id,
      WETH,
      wad("2"),
      wad("2") + 1n,
    ]);
    await refused(h, () => house.withdraw(id, h.weth, wad("1.996"), h.alice), "CollateralDust", [
      id,
      WETH,
      wad("0.004"),
      wad("0.005"),
    ]);
    await overflows(h, () => house.withdraw(id, h.usdc, MaxUint256 - 1n, h.alice));
  });

  it("MAM-3 MAS-7 leaves exactly the initial margin, to the last unit of USDC", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "10000" });
    await h.fund(h.bob, { cash: "10000" });
    await deal(h, [h.bob, h.alice], "1", "2000");
    // E = 10,000 − fee 2,000 · 0.05 % = 9,999
    // IM = φ·(W + A) = 1.666666667 · (2,000 · 3 % + 2,000 · 2 % · 2,000/50,000,000) = 1.666666667 · 60.0016
    const initialMargin = wad("100.0026666866672");
    const id = main(h.alice);
    const house = h.clearingHouse.connect(h.alice);
    expect(await h.clearingHouse.assess(id)).to.deep.equal([wad("9999"), initialMargin, wad("60.0016")]);
    // 9,999 − 9,898.997334 = 100.002666 < IM ≤ 100.002667 = 9,999 − 9,898.997333
    await refused(h, () => house.withdraw(id, h.usdc, usdc("9898.997334"), h.alice), "InsufficientMargin", [
      id,
      wad("100.002666"),
      initialMargin,
    ]);
    await house.withdraw(id, h.usdc, usdc("9898.997333"), h.alice);
  });

  it("FSA-5 leaves cash for the account's unsettled losses", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "3000", weth: "10" });
    await h.fund(h.bob, { cash: "10000" });
    await deal(h, [h.bob, h.alice], "1", "2000");
    await h.setPrice(ETH, "1000");
    // PnL = 1 · (1,000 − 2,000) − fee 1 = −1,001
    const id = main(h.alice);
    const house = h.clearingHouse.connect(h.alice);
    await refused(h, () => house.withdraw(id, h.usdc, usdc("1999.000001"), h.alice), "UnsettledLoss", [
      id,
      0n,
      wad("0.000001"),
    ]);
    await house.withdraw(id, h.usdc, usdc("1999"), h.alice);
    // Collateral may go as far as IM allows, whatever cash is left.
    await house.withdraw(id, h.weth, wad("5"), h.alice);
  });

  it("CM-1 pays out no profit that the pool does not hold", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "1000" });
    await h.fund(h.bob, { cash: "1000" });
    await deal(h, [h.bob, h.alice], "1", "2000");
    await h.setPrice(ETH, "2500");
    const id = main(h.alice);
    const house = h.clearingHouse.connect(h.alice);
    // E = 1,000 + 499 of unsettled profit; IM = 1.666666667 · (2,500 · 3 % + 2,500 · 2 % · 2,500/50,000,000) = 1.666666667 · 75.0025
    // without the profit: 1,000 − 900 = 100 < IM
    await refused(h, () => house.withdraw(id, h.usdc, usdc("900"), h.alice), "InsufficientMargin", [
      id,
      wad("100"),
      wad("125.0041666916675"),
    ]);
    // Once the loser has paid, it is cash like any other: 1,499 − 900 = 599.
    await h.clearingHouse.settle(ETH, [main(h.bob)]);
    await house.withdraw(id, h.usdc, usdc("900"), h.alice);
    expect(await cashOf(h, id)).to.equal(wad("599"));
  });
});
