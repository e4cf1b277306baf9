import { expect } from "chai";

import { CallbackToken__factory, FeeToken__factory, MockERC20__factory, OddToken__factory } from "../../types/index.ts";
import { encodeBytes32String, FunctionFragment, ZeroAddress } from "ethers";
import type { AddressLike, BaseContract, Interface, ParamType } from "ethers";
import { ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";
import { listCollateral, main, refused } from "../helpers/unit.ts";

const ID = 4;

interface Token extends BaseContract {
  balanceOf: (owner: AddressLike) => Promise<bigint>;
  mint: (to: AddressLike, amount: bigint) => Promise<unknown>;
  approve: (spender: AddressLike, amount: bigint) => Promise<unknown>;
}

/** Lists a token and gives Alice and Bob `amount` units each that the vault may take. */
async function listed<T extends Token>(h: Fixture, token: T, amount: bigint): Promise<T> {
  await listCollateral(h, ID, token);
  for (const who of [h.alice, h.bob]) {
    await token.mint(who, amount);
    await (token.connect(who) as T).approve(h.vault, amount);
  }
  return token;
}

/** What only governance may call, and asks for that before anything else: see access.test.ts. */
const RESTRICTED =
  /^(set(Authority|OutflowCap|Market|Collateral|LendingParams|RiskEngine|PriceOracle|Exchange|InsuranceFund|Treasury)|delistCollateral|pauseNewRisk|endPause)$/;

function nothing(type: ParamType): unknown {
  if (type.isArray()) return [];
  if (type.isTuple()) return type.components.map(nothing);
  if (type.baseType === "address") return ZeroAddress;
  if (type.baseType === "bool") return false;
  return type.baseType.startsWith("bytes") ? "0x" : 0;
}

/** A call of every function that changes something. */
function doors(ledger: Interface): string[] {
  const settle = ledger.encodeFunctionData("settle", [ETH, []]);
  return ledger.fragments
    .filter((f): f is FunctionFragment => FunctionFragment.isFragment(f) && f.stateMutability === "nonpayable")
    .filter(({ name }) => !RESTRICTED.test(name))
    .map((f) => ledger.encodeFunctionData(f, f.name === "simulate" ? [settle, 0n] : f.inputs.map(nothing)));
}

/** MAS-1: what the vault holds [token units] covers what Alice and Bob can claim [wad]. */
async function covered(h: Fixture, token: Token, decimals: number): Promise<void> {
  const claims = await Promise.all([h.alice, h.bob].map((who) => h.clearingHouse.collateralBalance(main(who), ID)));
  const held = await token.balanceOf(h.vault);
  expect(held * 10n ** 18n).to.be.greaterThanOrEqual((claims[0]! + claims[1]!) * 10n ** BigInt(decimals));
}

describe("tokens", () => {
  it("MAS-4 credits what arrived of a token that takes a fee", async () => {
    const h = await freshHouse();
    const token = await listed(h, await new FeeToken__factory(h.deployer).deploy(18), wad("100"));
    const house = h.clearingHouse.connect(h.alice);
    await house.deposit(main(h.alice), token, wad("100"));
    await h.clearingHouse.connect(h.bob).deposit(main(h.bob), token, wad("100"));
    expect(await h.clearingHouse.collateralBalance(main(h.alice), ID)).to.equal(wad("99"));
    await covered(h, token, 18);
    const tooMuch = () => house.withdraw(main(h.alice), token, wad("100"), h.alice);
    await refused(h, tooMuch, "InsufficientCollateral", [main(h.alice), ID, wad("99"), wad("100")]);
    // The fee of the way out is the recipient's.
    await house.withdraw(main(h.alice), token, wad("99"), h.alice);
    expect(await token.balanceOf(h.alice)).to.equal(wad("98.01"));
    await covered(h, token, 18);
  });

  it("MAS-4 takes tokens that return nothing; refuses those that return false or revert, and nothing changes", async () => {
    const h = await freshHouse();
    const token = await listed(h, await new OddToken__factory(h.deployer).deploy(6), 1_000n);
    const house = h.clearingHouse.connect(h.alice);
    const id = main(h.alice);
    await house.deposit(id, token, 600n);
    await house.withdraw(id, token, 100n, h.bob);
    expect(await token.balanceOf(h.bob)).to.equal(1_100n);
    const address = await token.getAddress();
    for (const [answer, error, args, source] of [
      [1, "SafeERC20FailedOperation", [address], h.vault],
      [2, "Refused", [], token],
    ] as const) {
      await token.setAnswer(answer);
      await refused(h, () => house.deposit(id, token, 100n), error, [...args], source);
      await refused(h, () => house.withdraw(id, token, 100n, h.alice), error, [...args], source);
    }
    // Within the house it moves as before: a transfer between accounts needs no token.
    await house.transfer(id, id + 1n, token, 200n);
    expect(await h.clearingHouse.collateralBalance(id, ID)).to.equal(wad("0.0003"));
    await covered(h, token, 6);
  });

  it("MAS-3 MAS-4 refuses a token that comes back in the middle of a transfer", async () => {
    const h = await freshHouse();
    const token = await listed(h, await new CallbackToken__factory(h.deployer).deploy(18), wad("10"));
    const ch = h.clearingHouse;
    const id = main(h.alice);
    const reentrancy = ch.interface.encodeErrorResult("Reentrancy");
    await ch.connect(h.alice).deposit(id, token, wad("4"));
    const entries = doors(ch.interface);
    expect(entries.length).to.be.greaterThanOrEqual(30);
    for (const data of entries) {
      await token.setCallback(ch, data);
      const out = ch.connect(h.alice).withdraw(id, token, wad("0.1"), h.alice);
      await expect(out).to.emit(token, "CalledBack").withArgs(false, reentrancy);
      const back = ch.connect(h.alice).deposit(id, token, wad("0.1"));
      await expect(back).to.emit(token, "CalledBack").withArgs(false, reentrancy);
    }
    expect(await ch.collateralBalance(id, ID)).to.equal(wad("4"));
    await covered(h, token, 18);
  });

  it("MAS-1 MAS-4 what a token adds to the vault by itself, or somebody sends, is nobody's", async () => {
    const h = await freshHouse();
    const token = await listed(h, await new MockERC20__factory(h.deployer).deploy("T", "T", 18), wad("10"));
    const house = h.clearingHouse.connect(h.alice);
    const id = main(h.alice);
    await house.deposit(id, token, wad("10"));
    await token.mint(h.vault, wad("5")); // as a rebase does
    expect(await h.clearingHouse.collateralBalance(id, ID)).to.equal(wad("10"));
    await h.clearingHouse.connect(h.bob).deposit(main(h.bob), token, wad("10"));
    expect(await h.clearingHouse.collateralBalance(main(h.bob), ID)).to.equal(wad("10"));
    const more = () => house.withdraw(id, token, wad("10") + 1n, h.alice);
    await refused(h, more, "InsufficientCollateral", [id, ID, wad("10"), wad("10") + 1n]);
    await house.withdraw(id, token, wad("10"), h.alice);
    expect(await token.balanceOf(h.vault)).to.equal(wad("15"));
    await covered(h, token, 18);
  });

  it("MAS-1 XAC-1 books 0 to 24 decimals; what rounds, rounds against the account", async () => {
    for (const decimals of [0, 6, 8, 18, 24]) {
      const h = await freshHouse();
      const unit = 10n ** BigInt(decimals);
      const token = await listed(h, await new MockERC20__factory(h.deployer).deploy("T", "T", decimals), 100n * unit);
      const house = h.clearingHouse.connect(h.alice);
      const id = main(h.alice);
      await house.deposit(id, token, 100n * unit);
      expect(await h.clearingHouse.collateralBalance(id, ID)).to.equal(wad("100"));
      await house.withdraw(id, token, 40n * unit, h.alice);
      await house.transfer(id, id + 1n, token, 10n * unit);
      expect(await h.clearingHouse.collateralBalance(id, ID)).to.equal(wad("50"));
      expect(await token.balanceOf(h.vault)).to.equal(60n * unit);
    }
    const h = await freshHouse();
    const token = await listed(h, await new MockERC20__factory(h.deployer).deploy("T", "T", 24), 10n ** 24n);
    const house = h.clearingHouse.connect(h.alice);
    const id = main(h.alice);
    // 10^6 units are a wei: 999,999 are nothing, 1,999,999 are one, and taking 1 unit out costs one.
    await refused(h, () => house.deposit(id, token, 999_999n), "ZeroAmount", []);
    await house.deposit(id, token, 1_999_999n);
    expect(await h.clearingHouse.collateralBalance(id, ID)).to.equal(1n);
    await house.withdraw(id, token, 1n, h.alice);
    expect(await h.clearingHouse.collateralBalance(id, ID)).to.equal(0n);
    await covered(h, token, 24);
    const wide = await new MockERC20__factory(h.deployer).deploy("W", "W", 25);
    const args = [encodeBytes32String("decimals"), 25n, 0n, 24n];
    await refused(h, () => listCollateral(h, 5, wide), "ParameterOutOfBounds", args);
  });
});
