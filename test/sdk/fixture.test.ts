import { expect } from "chai";

import { accountId } from "../../src/sdk/accountId.ts";
import { ETH, freshHouse, wad } from "../helpers/fixture.ts";

describe("fixture", () => {
  it("trades through signed orders", async () => {
    const house = await freshHouse();
    await house.fund(house.alice, { cash: "10000" });
    await house.fund(house.bob, { cash: "10000", weth: "2", wbtc: "0.1" });
    await house.trade(house.alice, house.bob, ETH, "1", "2000");
    const id = accountId(house.bob.address);
    expect((await house.clearingHouse.position(id, ETH)).size).to.equal(wad("1"));
    // 10,000 + 2 · 2,000 + 0.1 · 30,000 − taker fee 2,000 · 0.05 %
    expect((await house.clearingHouse.assess(id)).equity).to.equal(wad("16999"));
  });
});
