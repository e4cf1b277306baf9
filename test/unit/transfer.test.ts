import { expect } from "chai";
import { MaxUint256 } from "ethers";

import { accountId, isolatedAccountId } from "../../src/sdk/accountId.ts";
import { MockERC20__factory } from "../../types/index.ts";
import { BTC, ETH, freshHouse, wad, WETH } from "../helpers/fixture.ts";
import { cashOf, deal, main, overflows, refused, usdc } from "../helpers/unit.ts";

describe("transfer", () => {
  it("SEG-1 moves cash and collateral between accounts of one owner, in the token's own units", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "100", weth: "2" });
    const isolated = isolatedAccountId(h.alice.address, ETH);
    const house = h.clearingHouse.connect(h.alice);
    await expect(house.transfer(main(h.alice), isolated, h.usdc, usdc("60")))
      .to.emit(h.clearingHouse, "Transferred")
      .withArgs(main(h.alice), isolated, await h.usdc.getAddress(), wad("60"));
    await house.transfer(main(h.alice), isolated, h.weth, wad("1.5"));
    expect(await cashOf(h, main(h.alice))).to.equal(wad("40"));
    expect(await cashOf(h, isolated)).to.equal(wad("60"));
    expect(await h.clearingHouse.collateralBalance(main(h.alice), WETH)).to.equal(wad("0.5"));
    expect(await h.clearingHouse.collateralBalance(isolated, WETH)).to.equal(wad("1.5"));
  });

  it("SEG-1 refuses bad input, and what would cross to another owner", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "100", weth: "2" });
    const [id, other] = [main(h.alice), accountId(h.alice.address, 1)];
    const house = h.clearingHouse.connect(h.alice);
    const stranger = await new MockERC20__factory(h.alice).deploy("Stranger", "STR", 18);
    const address = await stranger.getAddress();
    const theft = () => h.clearingHouse.connect(h.bob).transfer(id, main(h.bob), h.usdc, 1n);
    await refused(h, theft, "NotOwner", [id, h.bob.address]);
    const gift = () => house.transfer(id, main(h.bob), h.weth, 1n);
    await refused(h, gift, "OwnerMismatch", [id, main(h.bob)]);
    await refused(h, () => house.transfer(id, id, h.usdc, 1n), "SameAccount", [id]);
    await refused(h, () => house.transfer(id, other, h.usdc, 0n), "ZeroAmount", []);
    await refused(h, () => house.transfer(id, other, stranger, 1n), "UnknownAsset", [address]);
    const tooMuch = () => house.transfer(id, other, h.usdc, usdc("101"));
    await refused(h, tooMuch, "InsufficientCash", [id, wad("100"), wad("101")]);
    const tooMuchEther = () => house.transfer(id, other, h.weth, wad("3"));
    await refused(h, tooMuchEther, "InsufficientCollateral", [id, WETH, wad("2"), wad("3")]);
    const dust = () => house.transfer(id, other, h.weth, wad("0.001"));
    await refused(h, dust, "CollateralDust", [other, WETH, wad("0.001"), wad("0.005")]);
    await overflows(h, () => house.transfer(id, other, h.usdc, MaxUint256 - 1n));
  });

  it("MAM-3 is an outflow: the account it leaves keeps its initial margin and the cash for its losses", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "200" });
    await h.fund(h.bob, { cash: "1000" });
    await deal(h, [h.bob, h.alice], "1", "2000");
    const [id, other] = [main(h.alice), accountId(h.alice.address, 1)];
    const house = h.clearingHouse.connect(h.alice);
    // E = 200 − 1; IM = 1.666666667 · 60.0016 as in the tests of withdraw
    await refused(h, () => house.transfer(id, other, h.usdc, usdc("100")), "InsufficientMargin", [
      id,
      wad("99"),
      wad("100.0026666866672"),
    ]);
    await house.transfer(id, other, h.usdc, usdc("98"));
  });

  it("CM-2 ISO-1 an isolated account holds its own market only, and its losses stop at its border", async () => {
    const h = await freshHouse();
    const isolated = isolatedAccountId(h.alice.address, ETH);
    await h.fund(h.alice, { cash: "1000" });
    await h.fund(h.alice, { cash: "1000" }, isolated);
    await h.fund(h.bob, { cash: "100000" });
    const foreign = () => deal(h, [h.bob, h.alice], "0.01", "30000", { market: BTC, taker: { account: isolated } });
    await refused(h, foreign, "IsolatedMarket", [isolated, BTC]);
    await deal(h, [h.bob, h.alice], "5", "2000", { taker: { account: isolated } });
    await h.setPrice(ETH, "1500");
    // 1,000 − 5 − 5 · 500 = −1,505; the main account is what it was.
    expect((await h.clearingHouse.assess(isolated)).equity).to.equal(wad("-1505"));
    expect((await h.clearingHouse.assess(main(h.alice))).equity).to.equal(wad("1000"));
  });
});
