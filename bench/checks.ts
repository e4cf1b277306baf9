import { MaxUint256 } from "ethers";

import { accountId } from "../src/sdk/accountId.ts";
import { ETH, WETH } from "../test/helpers/fixture.ts";
import type { Fixture } from "../test/helpers/fixture.ts";
import { collateralParams, marketParams, WETH_RISK } from "../test/helpers/unit.ts";
import { MockERC20__factory } from "../types/index.ts";
import { addUnderlying, freshChain, gasOfCall } from "./chain.ts";
import type { GasTable } from "./chain.ts";

const MARKETS = 16; // most that an account holds
const COLLATERALS = 8;
const LISTED = 64;
const FIRST = 10; // id of the first underlying, market and collateral added here

/** Gas of checking an account by what it holds: `assess` called cold, 21,000 and calldata taken off. */
export async function measureChecks(proxied: boolean): Promise<GasTable> {
  const f = await freshChain(proxied);
  for (let i = 0; i < MARKETS; i++) await addUnderlying(f, FIRST + i, proxied);
  const check = (id: bigint) =>
    gasOfCall(f, f.clearingHouse, f.clearingHouse.interface.encodeFunctionData("assess", [id]));

  const params = await marketParams(f, ETH);
  const table: GasTable = {};
  const markets = async (underlyings: string, first: number, underlyingOf: (i: number) => number) => {
    const taker = await f.fund(f.alice, { cash: "100000" }, accountId(f.alice.address, first));
    const maker = await f.fund(f.bob, { cash: "100000" }, accountId(f.bob.address, first));
    for (let i = 0; i < MARKETS; i++) {
      await f.clearingHouse.setMarket(first + i, { ...params, underlying: underlyingOf(i) });
      await f.trade(f.bob, f.alice, first + i, "1", "2000", { taker, maker });
      if ([1, 4, MARKETS].includes(i + 1)) table[`check, ${i + 1} markets, ${underlyings}`] = await check(taker);
    }
    return taker;
  };
  const own = await markets("own underlyings", FIRST, (i) => FIRST + i);
  await markets("one underlying", FIRST + MARKETS, () => ETH);
  const collaterals = async (underlyings: string, first: number, underlyingOf: (i: number) => number) => {
    const id = accountId(f.alice.address, 100 + first);
    for (let i = 0; i < COLLATERALS; i++) {
      await addCollateral(f, first + i, underlyingOf(i), id);
      if ([1, 3, COLLATERALS].includes(i + 1)) table[`check, ${i + 1} collaterals, ${underlyings}`] = await check(id);
    }
  };
  await collaterals("own underlyings", FIRST, (i) => FIRST + i);
  await collaterals("one underlying", FIRST + COLLATERALS, () => ETH);

  for (let id = FIRST + 2 * MARKETS; id < LISTED; id++) await f.clearingHouse.setMarket(id, params);
  for (let id = 2; id < FIRST; id++) await f.clearingHouse.setMarket(id, params);
  table[`check, ${MARKETS} markets, own underlyings, ${LISTED} listed`] = await check(own);

  const each = (what: string, most: number) =>
    Math.round(((table[`check, ${most} ${what}`] ?? 0) - (table[`check, 1 ${what}`] ?? 0)) / (most - 1));
  for (const underlyings of ["own underlyings", "one underlying"]) {
    table[`check, each further market, ${underlyings}`] = each(`markets, ${underlyings}`, MARKETS);
    table[`check, each further collateral, ${underlyings}`] = each(`collaterals, ${underlyings}`, COLLATERALS);
  }
  return table;
}

/** Lists a collateral asset like WETH and gives one unit of it to an account of Alice. */
async function addCollateral(f: Fixture, id: number, underlying: number, account: bigint): Promise<void> {
  const token = await new MockERC20__factory(f.deployer).deploy("T", "T", 18);
  await f.riskEngine.setCollateralRisk(id, { ...WETH_RISK, underlying });
  await f.clearingHouse.setCollateral(id, { ...(await collateralParams(f, WETH)), token, underlying });
  await token.mint(f.alice, 10n ** 18n);
  await token.connect(f.alice).approve(f.vault, MaxUint256);
  await f.clearingHouse.connect(f.alice).deposit(account, token, 10n ** 18n);
}
