import { accountId } from "../src/sdk/accountId.ts";
import { parsePrice, parseWad } from "../src/sdk/units.ts";
import { ETH } from "../test/helpers/fixture.ts";
import { ANY_TERMS, freshChain, gasOf, gasOfRefused } from "./chain.ts";
import type { GasTable, Signer } from "./chain.ts";
import { measureChecks } from "./checks.ts";
import { measureKeys } from "./keys.ts";
import { measureLoans } from "./loans.ts";
import { orderBook, pairsOf } from "./orders.ts";
import type { Pairs, Side } from "./orders.ts";

/**
 * Measures one cold transaction per operation on fresh in-process chains: receipts, 21,000 and calldata included, refunds out;
 * and checks of accounts, as calls alone.
 * @param proxied whether Chainlink's real EACAggregatorProxy stands in front of the mock aggregators
 */
export async function measureGas(proxied: boolean): Promise<GasTable> {
  return {
    ...(await measureOperations(proxied)),
    ...(await measureKeys(proxied)),
    ...(await measureLoans(proxied)),
    ...(await measureChecks(proxied)),
  };
}

/** Nonce words are started, recipients hold the token, pools and markets are in use. */
async function measureOperations(proxied: boolean): Promise<GasTable> {
  const f = await freshChain(proxied);
  const signed = orderBook(f);
  const settle = async (sides: Side[], matches: Pairs) => f.exchange.settle(await signed(sides), pairsOf(matches));
  const [alice, bob, carol, dave, erin, keeper, second] = (await f.ethers.getSigners()).slice(1) as [
    Signer,
    Signer,
    Signer,
    Signer,
    Signer,
    Signer,
    Signer,
  ];
  const id = (s: Signer) => accountId(s.address);
  const house = (s: Signer) => f.clearingHouse.connect(s);
  const pair = (maker: Signer, taker: Signer, size: string) =>
    settle(
      [
        [maker, `-${size}`, true],
        [taker, size, false],
      ],
      [[0, 1]],
    );
  const table: GasTable = {};

  for (const s of [alice, bob, dave, erin]) await f.fund(s, { cash: "100000", weth: "0.1" });
  await f.fund(carol, { cash: "1000" });
  for (const s of [keeper, second]) await f.fund(s, { cash: "1000000" });
  for (const token of [f.usdc, f.weth]) {
    await token.mint(alice, 10n ** 12n);
    await token.mint(f.deployer, 10n ** 12n);
    await token.connect(alice).approve(f.vault, 10n ** 20n);
  }
  await f.usdc.approve(f.insuranceFund, 10n ** 12n);
  await f.insuranceFund.deposit(10n ** 12n, f.deployer);
  await pair(dave, erin, "10");

  table["deposit cash again"] = await gasOf(house(alice).deposit(id(alice), f.usdc, 10n ** 9n));
  table["withdraw cash, nothing held"] = await gasOf(house(keeper).withdraw(id(keeper), f.usdc, 10n ** 6n, alice));
  await house(alice).withdraw(id(alice), f.weth, 10n ** 17n, alice);
  await house(bob).withdraw(id(bob), f.weth, 10n ** 17n, bob);
  table["two signed orders: open"] = await gasOf(pair(alice, bob, "5"));
  table["two signed orders: increase"] = await gasOf(pair(alice, bob, "5"));
  table["two signed orders: reduce"] = await gasOf(pair(bob, alice, "5"));
  table["two signed orders: close"] = await gasOf(pair(bob, alice, "5"));
  await pair(alice, bob, "5");
  table["withdraw cash, one perpetual"] = await gasOf(house(alice).withdraw(id(alice), f.usdc, 10n ** 6n, alice));

  await house(dave).withdraw(id(dave), f.weth, 10n ** 17n, dave);
  await house(erin).withdraw(id(erin), f.weth, 10n ** 17n, erin);
  const single = await gasOf(pair(alice, bob, "1"));
  const [rests, takes]: [Side, Side] = [
    [alice, "-1", true],
    [bob, "2", false],
  ];
  const oneTaker: Side[] = [rests, [dave, "-1", true], takes];
  const makers = await gasOf(
    settle(oneTaker, [
      [0, 2],
      [1, 2],
    ]),
  );
  const distinct: Side[] = [
    [alice, "-1", true],
    [bob, "1", false],
    [dave, "-1", true],
    [erin, "1", false],
  ];
  const pairs = await gasOf(
    settle(distinct, [
      [0, 1],
      [2, 3],
    ]),
  );
  table["batch, further fill: one taker, a maker increases"] = makers - single;
  table["batch, further fill: a distinct pair increases"] = pairs - single;

  const stop = { triggerBelow: parsePrice("2000"), executionFee: parseWad("1"), reduceOnly: true };
  const stopped: Side[] = [
    [erin, "1", true],
    [bob, "-1", false, bob, stop],
  ];
  table["two signed orders: stop-loss for a fee"] = await gasOf(
    f.exchange.settleForFee(await signed(stopped), pairsOf([[0, 1]]), id(keeper)),
  );
  const [few, many] = [await signed([rests, takes]), await signed(oneTaker)];
  const one = await gasOf(f.exchange.settleEach(few, pairsOf([[0, 1]])));
  const two = await gasOf(
    f.exchange.settleEach(
      many,
      pairsOf([
        [0, 2],
        [1, 2],
      ]),
    ),
  );
  table["settleEach, further match: one taker, a maker increases"] = two - one;

  await pair(dave, carol, "8");
  await pair(second, erin, "1");
  await f.setPrice(ETH, "2010");
  const first = await gasOf(f.clearingHouse.settle(ETH, [id(alice)]));
  table["settle a perpetual"] = first;
  await f.setPrice(ETH, "2020");
  const four = await gasOf(f.clearingHouse.settle(ETH, [alice, dave, second, bob].map(id)));
  table["settle, each further account"] = Math.round((four - first) / 3);

  await f.setPrice(ETH, "1925");
  table["liquidation call on a healthy account"] = await gasOfRefused(f, () =>
    house(keeper).liquidate(id(second), id(keeper), ANY_TERMS, { gasLimit: 500_000n }),
  );
  const snapshot = await f.networkHelpers.takeSnapshot();
  table["liquidate one perpetual, taker opens"] = await gasOf(
    house(keeper).liquidate(id(carol), id(keeper), ANY_TERMS),
  );
  await snapshot.restore();
  table["liquidate one perpetual, taker holds it"] = await gasOf(
    house(second).liquidate(id(carol), id(second), ANY_TERMS),
  );
  return table;
}
