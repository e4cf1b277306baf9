import { expect } from "chai";
import { MaxUint256 } from "ethers";

import { accountId } from "../../src/sdk/accountId.ts";
import { ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { cashOf, deal, main, refused, usdc } from "../helpers/unit.ts";
import type { Signer } from "../helpers/unit.ts";

const [COOLDOWN, WINDOW] = [3 * 86_400, 2 * 86_400];

/** `who` has `amount` of USDC that the fund may take. */
async function endow(h: Fixture, who: Signer, amount: string): Promise<void> {
  await h.usdc.mint(who, usdc(amount));
  await h.usdc.connect(who).approve(h.insuranceFund, MaxUint256);
}

async function invest(h: Fixture, who: Signer, amount: string): Promise<bigint> {
  await endow(h, who, amount);
  await h.insuranceFund.connect(who).deposit(usdc(amount), who);
  return h.insuranceFund.balanceOf(who);
}

/** Asks to leave with everything and waits for the first moment at which that is possible. */
async function mature(h: Fixture, who: Signer): Promise<void> {
  await h.insuranceFund.connect(who).requestExit(await h.insuranceFund.balanceOf(who));
  await h.pass(COOLDOWN);
}

describe("InsuranceFund", () => {
  it("SEG-2 is an ERC-4626 whose assets are the cash of its own account", async () => {
    const h = await freshHouse();
    const fund = h.insuranceFund;
    // 6 virtual decimals: 1 USDC buys 10^6 · 10^6 shares of 12 decimals, one share
    expect(await invest(h, h.alice, "1000")).to.equal(1_000n * 10n ** 12n);
    expect(await fund.decimals()).to.equal(12n);
    expect(await fund.account()).to.equal(accountId(await fund.getAddress()));
    expect(await cashOf(h, await fund.account())).to.equal(wad("1000"));
    expect(await fund.totalAssets()).to.equal(usdc("1000"));
    expect(await fund.asset()).to.equal(await h.usdc.getAddress());
    await endow(h, h.bob, "500");
    await fund.connect(h.bob).mint(500n * 10n ** 12n, h.bob);
    expect(await h.usdc.balanceOf(h.bob)).to.equal(0n);
    // Income belongs to the shares: 1,500 and 300 given make 1.2 each, up to the virtual share.
    await h.fund(h.carol, { cash: "300" }, await fund.account());
    expect(await fund.convertToAssets(10n ** 12n)).to.equal(1_199_999n);
    await mature(h, h.bob);
    await fund.connect(h.bob).redeem(500n * 10n ** 12n, h.bob, h.bob);
    expect(await h.usdc.balanceOf(h.bob)).to.equal(usdc("600") - 1n);
  });

  it("lets nobody out before the cooldown, after the window, or with more than he asked for", async () => {
    const h = await freshHouse();
    const fund = h.insuranceFund.connect(h.alice);
    expect(await fund.COOLDOWN()).to.equal(COOLDOWN);
    expect(await fund.EXIT_WINDOW()).to.equal(WINDOW);
    const shares = await invest(h, h.alice, "1000");
    const redeem = (amount: bigint) => () => fund.redeem(amount, h.alice, h.alice);
    // ERC-4626 asks maxRedeem first, which is zero while no request is open.
    await refused(h, redeem(shares), "ERC4626ExceededMaxRedeem", [h.alice.address, shares, 0n], fund);
    const tooMany = () => fund.requestExit(shares + 1n);
    await refused(h, tooMany, "ERC20InsufficientBalance", [h.alice.address, shares, shares + 1n], fund);
    await expect(fund.requestExit(shares / 2n)).to.emit(fund, "ExitRequested");
    const [asked, availableAt, expiresAt] = await fund.exitRequest(h.alice);
    expect([asked, expiresAt - availableAt]).to.deep.equal([shares / 2n, BigInt(WINDOW)]);
    expect(await fund.maxRedeem(h.alice)).to.equal(0n);
    await refused(h, redeem(1n), "ERC4626ExceededMaxRedeem", undefined, fund);
    await h.networkHelpers.time.increaseTo(availableAt);
    expect(await fund.maxRedeem(h.alice)).to.equal(shares / 2n);
    expect(await fund.maxWithdraw(h.alice)).to.equal(usdc("500"));
    await refused(h, redeem(shares / 2n + 1n), "ERC4626ExceededMaxRedeem", undefined, fund);
    // The right to leave goes with the shares, and does not come back with them.
    await fund.transfer(h.bob, shares);
    await refused(h, redeem(1n), "ERC4626ExceededMaxRedeem", undefined, fund);
    await fund.connect(h.bob).transfer(h.alice, shares);
    await refused(h, redeem(1n), "ERC4626ExceededMaxRedeem", undefined, fund);
    await fund.requestExit(shares / 2n);
    await h.pass(COOLDOWN);
    await redeem(shares / 4n)();
    await fund.withdraw(usdc("250"), h.alice, h.alice);
    await refused(h, redeem(1n), "ERC4626ExceededMaxRedeem", undefined, fund);
    expect(await h.usdc.balanceOf(h.alice)).to.equal(usdc("500"));
    await fund.requestExit(shares / 2n);
    await h.pass(COOLDOWN + WINDOW + 1);
    expect(await fund.maxRedeem(h.alice)).to.equal(0n);
    await refused(h, redeem(1n), "ERC4626ExceededMaxRedeem", undefined, fund);
    await fund.requestExit(0n); // withdraws the request
    expect((await fund.exitRequest(h.alice))[0]).to.equal(0n);
  });

  it("a share that is redeemed by another needs his allowance", async () => {
    const h = await freshHouse();
    const shares = await invest(h, h.alice, "1000");
    await mature(h, h.alice);
    const theft = () => h.insuranceFund.connect(h.bob).redeem(shares, h.bob, h.alice);
    await refused(h, theft, "ERC20InsufficientAllowance", [h.bob.address, 0n, shares], h.insuranceFund);
    await h.insuranceFund.connect(h.alice).approve(h.bob, shares);
    await theft();
    expect(await h.usdc.balanceOf(h.bob)).to.equal(usdc("1000"));
  });

  it("ADL-2 prices leaving shares net of flagged deficits, entering ones gross", async () => {
    const h = await freshHouse();
    const fund = h.insuranceFund;
    const shares = await invest(h, h.alice, "1000");
    await mature(h, h.alice);
    await h.fund(h.carol, { cash: "150" });
    await h.fund(h.dave, { cash: "10000" });
    await deal(h, [h.dave, h.carol], "1", "2000");
    await h.setPrice(ETH, "1551");
    // Carol: 150 − 1 − 449 = −300
    await h.clearingHouse.flag(main(h.carol));
    expect(await h.clearingHouse.totalFlaggedDeficit()).to.equal(wad("300"));
    expect(await fund.previewRedeem(shares)).to.equal(usdc("700"));
    expect(await fund.maxWithdraw(h.alice)).to.equal(usdc("700"));
    expect(await fund.totalAssets()).to.equal(usdc("1000"));
    // 500 USDC buy half of what 1,000 bought, not 500/700 of it; 350 USDC cost half of the shares.
    expect(await fund.previewDeposit(usdc("500"))).to.equal(shares / 2n);
    expect(await fund.previewWithdraw(usdc("350"))).to.be.closeTo(shares / 2n, 10n ** 6n);
    // The deficit heals, and with it the price.
    await h.setPrice(ETH, "2000");
    await h.clearingHouse.flag(main(h.carol));
    expect(await fund.previewRedeem(shares)).to.equal(usdc("1000"));
    await fund.connect(h.alice).redeem(shares, h.alice, h.alice);
    expect(await h.usdc.balanceOf(h.alice)).to.equal(usdc("1000"));
  });

  it("CMA-5 a donation before the first deposit steals nothing", async () => {
    const h = await freshHouse();
    const fund = h.insuranceFund;
    // The attacker buys one unit, then gives 10,000 to the fund's account, to round away the deposit of his victim.
    await endow(h, h.bob, "1");
    await fund.connect(h.bob).deposit(1n, h.bob);
    await h.fund(h.bob, { cash: "10000" }, await fund.account());
    const shares = await invest(h, h.alice, "10000");
    const back = await fund.previewRedeem(shares);
    // A share is worth 10,000 USDC / (10^6 + 10^6 virtual) = 0.005 USDC, the most that rounding costs the victim; the attacker
    // gets back the half of his donation that is not the virtual shares'.
    expect(back).to.be.greaterThanOrEqual(usdc("9999.98"));
    expect(await fund.previewRedeem(await fund.balanceOf(h.bob))).to.be.lessThanOrEqual(usdc("5000.01"));
    // USDC sent to the fund's address or to the vault belong to nobody and move no price.
    await h.usdc.mint(fund, usdc("5000"));
    expect(await fund.previewRedeem(shares)).to.equal(back);
  });
});
