import { accountId } from "../src/sdk/accountId.ts";
import { ETH, WETH } from "../test/helpers/fixture.ts";
import { ANY_TERMS, freshChain, gasOf } from "./chain.ts";
import type { GasTable, Signer } from "./chain.ts";

const USDC = 10n ** 6n;
const RAMP = 14 * 86_400; // of a delisting

/** Gas of what moves lent cash and debt. The pool and the markets are in use. */
export async function measureLoans(proxied: boolean): Promise<GasTable> {
  const f = await freshChain(proxied);
  const { alice, bob, carol, dave, keeper, usdc } = f;
  const id = (s: Signer) => accountId(s.address);
  const house = (s: Signer) => f.clearingHouse.connect(s);
  const borrow = (s: Signer, amount: bigint) => house(s).withdraw(id(s), usdc, amount * USDC, s);

  await f.fund(dave, { cash: "50000" });
  await f.fund(bob, { cash: "100000" });
  await f.fund(keeper, { cash: "100000" });
  for (const s of [alice, carol]) await f.fund(s, { weth: "10" });
  for (const s of [alice, carol, dave]) {
    await usdc.mint(s, 1_000n * USDC);
    await usdc.connect(s).approve(f.vault, 10_000n * USDC);
  }
  await usdc.mint(f.deployer, 10_000n * USDC);
  await usdc.approve(f.insuranceFund, 10_000n * USDC);
  await f.insuranceFund.deposit(10_000n * USDC, f.deployer);
  await house(dave).lend(id(dave), 30_000n * USDC);
  await borrow(alice, 10_000n);
  await f.trade(bob, carol, ETH, "1", "2000");
  await f.trade(bob, keeper, ETH, "1", "2000");

  const table: GasTable = {};
  table["lend again"] = await gasOf(house(dave).lend(id(dave), 1_000n * USDC));
  table["recall a part"] = await gasOf(house(dave).recall(id(dave), 1_000n * USDC));
  table["withdraw cash, calls back lent cash"] = await gasOf(
    house(dave).withdraw(id(dave), usdc, 20_001n * USDC, dave),
  );
  table["withdraw cash, borrows"] = await gasOf(borrow(alice, 1_500n));
  table["deposit cash, repays a part"] = await gasOf(house(alice).deposit(id(alice), usdc, 500n * USDC));
  await f.setPrice(ETH, "1950");
  await f.clearingHouse.settle(ETH, [id(keeper)]);
  table["settle a perpetual, borrows"] = await gasOf(f.clearingHouse.settle(ETH, [id(carol)]));
  await f.setPrice(ETH, "1200");
  const snapshot = await f.networkHelpers.takeSnapshot();
  table["liquidate debt and one collateral"] = await gasOf(house(keeper).liquidate(id(alice), id(keeper), ANY_TERMS));
  await snapshot.restore();
  await f.clearingHouse.delistCollateral(WETH);
  await f.pass(RAMP + 1);
  table["absorb a debt"] = await gasOf(house(keeper).absorb(id(alice)));
  return table;
}
