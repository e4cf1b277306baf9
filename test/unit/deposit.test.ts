import { expect } from "chai";
import { MaxUint256 } from "ethers";

import { accountId, isolatedAccountId } from "../../src/sdk/accountId.ts";
import { ClearingHouse__factory, MockERC20__factory } from "../../types/index.ts";
import type { MockERC20 } from "../../types/index.ts";
import { ETH, freshHouse, wad, WETH } from "../helpers/fixture.ts";
import { cashOf, collateralParams, listCollateral, main, overflows, refused, usdc } from "../helpers/unit.ts";

const NO_CAPS = { cap: 2n ** 64n - 1n, accountCap: 2n ** 64n - 1n };

describe("deposit", () => {
  it("credits cash in 18 decimals, to anybody's account, in any state", async () => {
    const h = await freshHouse();
    await h.usdc.mint(h.bob, usdc("25"));
    await h.usdc.connect(h.bob).approve(h.vault, MaxUint256);
    const deposit = h.clearingHouse.connect(h.bob).deposit(main(h.alice), h.usdc, usdc("12.345678"));
    await expect(deposit)
      .to.emit(h.clearingHouse, "Deposited")
      .withArgs(main(h.alice), await h.usdc.getAddress(), h.bob.address, wad("12.345678"));
    expect(await cashOf(h, main(h.alice))).to.equal(wad("12.345678"));
    expect(await cashOf(h, main(h.bob))).to.equal(0n);
    expect(await h.usdc.balanceOf(h.vault)).to.equal(12_345_678n);
  });

  it("SEG-1 credits collateral to the owner's own accounts only: nobody's account is sent an asset without his consent", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { weth: "2" }, isolatedAccountId(h.alice.address, ETH));
    expect(await h.clearingHouse.collateralBalance(isolatedAccountId(h.alice.address, ETH), WETH)).to.equal(wad("2"));
    await h.weth.mint(h.bob, wad("1"));
    await h.weth.connect(h.bob).approve(h.vault, wad("1"));
    const gift = () => h.clearingHouse.connect(h.bob).deposit(main(h.alice), h.weth, wad("1"));
    await refused(h, gift, "NotOwner", [main(h.alice), h.bob.address]);
  });

  it("refuses unknown assets and zero amounts", async () => {
    const h = await freshHouse();
    const stranger = await new MockERC20__factory(h.alice).deploy("Stranger", "STR", 18);
    const address = await stranger.getAddress();
    const house = h.clearingHouse.connect(h.alice);
    await refused(h, () => house.deposit(main(h.alice), stranger, 1n), "UnknownAsset", [address]);
    await refused(h, () => house.deposit(main(h.alice), h.usdc, 0n), "ZeroAmount", []);
    await refused(h, () => house.deposit(main(h.alice), h.weth, 0n), "ZeroAmount", []);
  });

  it("refuses amounts that overflow a token unit, a balance or the cash of an account", async () => {
    const h = await freshHouse();
    const house = h.clearingHouse.connect(h.alice);
    for (const token of [h.usdc, h.weth]) {
      await token.mint(h.alice, MaxUint256);
      await token.connect(h.alice).approve(h.vault, MaxUint256);
    }
    // (2^256 − 1) · 10^12 does not fit into 256 bits
    await overflows(h, () => house.deposit(main(h.alice), h.usdc, MaxUint256));
    await h.clearingHouse.setCollateral(WETH, { ...(await collateralParams(h, WETH)), ...NO_CAPS });
    // 2^112 = 5.19e33: 5.2e21 units of 10^-6 are 5.2e33 in 18 decimals
    const tooMuch = 52n * 10n ** 20n;
    const overflow = "SafeCastOverflowedUintDowncast";
    const ledger = ClearingHouse__factory.connect(h.addressBook.contracts.clearingHouse);
    const add = (token: MockERC20, units: bigint) => () => house.deposit(main(h.alice), token, units);
    await refused(h, add(h.usdc, tooMuch), overflow, [112n, tooMuch * 10n ** 12n], ledger);
    await refused(h, add(h.weth, 1n << 96n), overflow, [96n, 1n << 96n], ledger);
    await house.deposit(main(h.alice), h.weth, (1n << 96n) - 1n);
    await refused(h, add(h.weth, wad("1")), overflow, undefined, ledger);
  });

  it("MMS-2 refuses dust and a ninth collateral asset", async () => {
    const h = await freshHouse();
    const house = h.clearingHouse.connect(h.alice);
    await h.weth.mint(h.alice, wad("1"));
    await h.weth.connect(h.alice).approve(h.vault, wad("1"));
    const dust = wad("0.005") - 1n; // the threshold is 0.005 WETH, 10 USD
    await refused(h, () => house.deposit(main(h.alice), h.weth, dust), "CollateralDust", [
      main(h.alice),
      WETH,
      dust,
      wad("0.005"),
    ]);
    for (let id = 4; id < 13; id++) {
      const token = await new MockERC20__factory(h.deployer).deploy(`Asset ${id}`, `A${id}`, 18);
      await listCollateral(h, id, token);
      await token.mint(h.alice, 1n);
      await token.connect(h.alice).approve(h.vault, 1n);
      if (id < 12) await house.deposit(main(h.alice), token, 1n);
      else await refused(h, () => house.deposit(main(h.alice), token, 1n), "TooManyCollaterals", [main(h.alice), 8n]);
    }
  });

  it("SEG-1 refuses what the payer has not approved or does not own", async () => {
    const h = await freshHouse();
    const house = h.clearingHouse.connect(h.alice);
    await refused(h, () => house.deposit(main(h.alice), h.usdc, 1n), "ERC20InsufficientAllowance", undefined, h.usdc);
    await h.usdc.connect(h.alice).approve(h.vault, 1n);
    await refused(h, () => house.deposit(main(h.alice), h.usdc, 1n), "ERC20InsufficientBalance", undefined, h.usdc);
    // What is approved to the vault is nobody else's to bring in.
    await h.usdc.mint(h.alice, 1n);
    const thief = h.clearingHouse.connect(h.bob);
    const theft = () => thief.deposit(accountId(h.bob.address), h.usdc, 1n);
    await refused(h, theft, "ERC20InsufficientAllowance", undefined, h.usdc);
  });
});
