import { expect } from "chai";
import { HDNodeWallet } from "ethers";
import pino from "pino";

import TakerOwner from "../../deploy/modules/TakerOwner.ts";
import { Keeper } from "../../src/keeper/keeper.ts";
import { LIQUIDATE_SCOPE, openTakerKey, TakerKeyTooWide, UnusableTaker } from "../../src/keeper/takerKey.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { AccessManager__factory } from "../../types/index.ts";
import { startAnvil } from "../helpers/anvil.ts";
import { ETH, freshHouse, wad } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";

const PHRASE = "test test test test test test test test test test test junk";
const KEEPERS = 1n; // role
const SIXTH = "m/44'/60'/0'/0/5"; // of Hardhat's own accounts: the keeper

/** Dave's AccessManager owns the taker's account, with 100,000 in it; `allowed` is what keepers may call. */
async function treasury(house: Fixture, allowed: readonly string[] = LIQUIDATE_SCOPE, delay = 0) {
  const { clearingHouse, dave, keeper, usdc, vault } = house;
  const manager = await new AccessManager__factory(dave).deploy(dave);
  const selectors = allowed.map((name) => clearingHouse.interface.getFunction(name as "flag").selector);
  await manager.setTargetFunctionRole(clearingHouse, selectors, KEEPERS);
  await manager.grantRole(KEEPERS, keeper, delay);
  const account = accountId(await manager.getAddress());
  await usdc.mint(dave, 100_000_000_000n);
  await usdc.connect(dave).approve(vault, 100_000_000_000n);
  await clearingHouse.connect(dave).deposit(account, usdc, 100_000_000_000n);
  return { manager, account };
}

const signer = HDNodeWallet.fromPhrase(PHRASE, "", SIXTH);

function keeperOf({ ethers, addressBook }: Fixture, takerAccount: bigint, config = {}): Promise<Keeper> {
  const logger = pino({ level: "silent" });
  return Keeper.create({ provider: ethers.provider, signer, addressBook, takerAccount, config, logger });
}

/** Bob is long 10 ETH at 2,000 on 1,100, against alice. */
async function leveraged(house: Fixture): Promise<bigint> {
  await house.fund(house.alice, { cash: "1000000" });
  const bob = await house.fund(house.bob, { cash: "1100" });
  await house.trade(house.alice, house.bob, ETH, "10", "2000");
  return bob;
}

async function refusal(house: Fixture, account: bigint): Promise<unknown> {
  return keeperOf(house, account).then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe("keeper with a key that may only liquidate", () => {
  it("AUTH-7 takes slices into its owner's account, earns nothing itself and can move nothing", async () => {
    const house = await freshHouse();
    const bob = await leveraged(house);
    const { manager, account } = await treasury(house);
    // At the first flag at most 80 % of 0.05 · 583.65 = 23.3 is the taker's: it flags before it takes.
    const keeper = await keeperOf(house, account, { minProfit: wad("40") });
    await house.setPrice(ETH, "1945");
    const actions: string[] = [];
    for (let i = 0; i < 10 && !actions.includes("take done"); ++i) {
      for (const { action, result } of await keeper.tick()) actions.push(`${action} ${result}`);
      await house.networkHelpers.time.increase(30);
    }
    expect(actions).to.include.members(["flag done", "take done"]);
    const [event] = await house.clearingHouse.queryFilter(house.clearingHouse.filters.Liquidated());
    expect([event!.args.account, event!.args.taker]).to.deep.equal([bob, account]);
    expect(event!.args.toFlagger).to.equal(0n); // it has flagged for the taker
    const { equity } = await house.clearingHouse.assess(account);
    expect(equity - wad("100000") >= wad("40")).to.equal(true);

    expect(await house.clearingHouse.assess(accountId(signer.address))).to.deep.equal([0n, 0n, 0n]);
    expect(await house.usdc.balanceOf(signer)).to.equal(0n);
    const { clearingHouse: ch } = house;
    const key = house.keeper;
    await expect(ch.connect(key).withdraw(account, house.usdc, 1n, key)).to.be.revertedWithCustomError(ch, "NotOwner");
    for (const data of [
      ch.interface.encodeFunctionData("withdraw", [account, await house.usdc.getAddress(), 1n, key.address]),
      ch.interface.encodeFunctionData("batch", [[]]),
    ]) {
      await expect(manager.connect(key).execute(ch, data)).to.be.revertedWithCustomError(
        manager,
        "AccessManagerUnauthorizedCall",
      );
    }
  });

  it("AUTH-7 takes small slices in one transaction without the right to batch", async () => {
    const house = await freshHouse();
    const bob = await leveraged(house);
    const carol = await house.fund(house.carol, { cash: "1100" });
    await house.trade(house.alice, house.carol, ETH, "10", "2000");
    const keeper = await keeperOf(house, (await treasury(house)).account, { batchBelow: wad("1000") });
    await house.setPrice(ETH, "1945");
    const takes = (await keeper.tick()).filter(({ action }) => action === "take");
    expect(takes.map(({ result }) => result)).to.deep.equal(["done"]);
    expect(takes[0]!.accounts).to.have.members([bob, carol]);
  });

  it("AUTH-7 is refused from the block in which its owner takes the right away", async () => {
    const house = await freshHouse();
    await leveraged(house);
    const { manager, account } = await treasury(house);
    const keeper = await keeperOf(house, account);
    await house.setPrice(ETH, "1945");
    await manager.revokeRole(KEEPERS, signer.address);
    const acts = await keeper.tick();
    const forTaker = acts.filter(({ account }) => account !== undefined); // prices may be observed, by whomever
    expect(forTaker.filter(({ hash }) => hash !== undefined)).to.deep.equal([]);
    expect(forTaker.find(({ action }) => action === "take")).to.include({ result: "refused" });
    expect(await refusal(house, account)).to.be.instanceOf(UnusableTaker);
  });

  it("AUTH-7 does not start with a key that lacks a right, must wait for it, or may do more", async () => {
    const house = await freshHouse();
    const lacking = await refusal(house, (await treasury(house, ["flag", "liquidate"])).account);
    expect(lacking)
      .to.be.instanceOf(UnusableTaker)
      .with.property("message")
      .that.matches(/at once to cashCall$/);
    const delayed = await refusal(house, (await treasury(house, LIQUIDATE_SCOPE, 60)).account);
    expect(delayed).to.be.instanceOf(UnusableTaker);

    const wide = await refusal(house, (await treasury(house, [...LIQUIDATE_SCOPE, "withdraw", "batch"])).account);
    expect(wide).to.be.instanceOf(TakerKeyTooWide).with.deep.property("functions", ["batch", "withdraw"]);
    const { manager, account } = await treasury(house);
    await manager.grantRole(0n, signer.address, 3600); // admin, though only after an hour
    expect(await refusal(house, account))
      .to.be.instanceOf(TakerKeyTooWide)
      .with.deep.property("functions", ["*"]);
  });

  it("AUTH-7 starts with the owner that the module deploys, for its key and no other one", async () => {
    const house = await freshHouse();
    const { clearingHouse } = house.addressBook.contracts;
    const of = async (keeper: string) => {
      const parameters = { TakerOwner: { clearingHouse, keeper } };
      const { owner } = await house.connection.ignition.deploy(TakerOwner, { parameters });
      return accountId(owner.target as string);
    };
    expect(await refusal(house, await of(signer.address))).to.equal(undefined);
    expect(await refusal(house, await of(house.bob.address))).to.be.instanceOf(UnusableTaker);
  });

  it("AUTH-7 wants an owner that is the signer or an AccessManager", async () => {
    const { addressBook } = await freshHouse();
    const anvil = await startAnvil();
    const REVERTS = "0x60006000fd"; // revert(0, 0)
    const [nobody, contract] = [`0x${"11".repeat(20)}`, `0x${"22".repeat(20)}`];
    await anvil.provider.send("anvil_setCode", [contract, REVERTS]);
    for (const owner of [nobody, contract]) {
      const opening = openTakerKey(anvil.provider, addressBook, accountId(owner), signer.address);
      expect(await opening.catch((error: unknown) => error)).to.be.instanceOf(UnusableTaker);
    }
    await anvil.stop();
    const silent = openTakerKey(anvil.provider, addressBook, accountId(nobody), signer.address);
    expect(await silent.catch((error: unknown) => error)).to.not.be.instanceOf(UnusableTaker);
  });
});
