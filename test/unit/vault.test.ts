import { expect } from "chai";

import { freshHouse } from "../helpers/fixture.ts";
import { refused } from "../helpers/unit.ts";
import { Vault__factory } from "../../types/index.ts";

describe("Vault", () => {
  it("takes one clearinghouse, once", async () => {
    const h = await freshHouse();
    expect(await h.vault.clearingHouse()).to.equal(await h.clearingHouse.getAddress());
    await refused(
      h,
      () => h.vault.setClearingHouse(h.alice),
      "ClearingHouseAlreadySet",
      [await h.clearingHouse.getAddress()],
      h.vault,
    );
  });

  it("SEG-1 moves tokens on nobody else's order, the administrator's included", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "100" });
    await h.usdc.connect(h.bob).approve(h.vault, 100n);
    for (const caller of [h.deployer, h.alice, h.keeper]) {
      const vault = h.vault.connect(caller);
      await refused(h, () => vault.push(h.usdc, caller, 1n), "OnlyClearingHouse", [caller.address], vault);
      await refused(h, () => vault.pull(h.usdc, h.bob, 1n), "OnlyClearingHouse", [caller.address], vault);
    }
  });

  it("is neither source nor recipient of what it moves", async () => {
    const h = await freshHouse();
    await h.fund(h.alice, { cash: "100" });
    // A vault whose clearinghouse is a plain address, to reach `pull` alone.
    const vault = await new Vault__factory(h.deployer).deploy(h.accessManager);
    await vault.setClearingHouse(h.keeper);
    const address = await vault.getAddress();
    const order = vault.connect(h.keeper);
    await refused(h, () => order.pull(h.usdc, vault, 1n), "InvalidRecipient", [address], vault);
    await refused(h, () => order.push(h.usdc, vault, 1n), "InvalidRecipient", [address], vault);
    const withdraw = () =>
      h.clearingHouse.connect(h.alice).withdraw(BigInt(h.alice.address) << 96n, h.usdc, 1n, h.vault);
    await refused(h, withdraw, "InvalidRecipient", [await h.vault.getAddress()], h.vault);
  });

  it("reports what arrived and sends what it is told", async () => {
    const h = await freshHouse();
    const vault = await new Vault__factory(h.deployer).deploy(h.accessManager);
    await vault.setClearingHouse(h.keeper);
    await h.usdc.mint(h.alice, 50n);
    await h.usdc.connect(h.alice).approve(vault, 50n);
    expect(await vault.connect(h.keeper).pull.staticCall(h.usdc, h.alice, 50n)).to.equal(50n);
    await vault.connect(h.keeper).pull(h.usdc, h.alice, 50n);
    await vault.connect(h.keeper).push(h.usdc, h.bob, 20n);
    expect(await h.usdc.balanceOf(vault)).to.equal(30n);
    expect(await h.usdc.balanceOf(h.bob)).to.equal(20n);
  });
});
