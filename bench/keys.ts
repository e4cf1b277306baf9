import { freshChain, gasOf } from "./chain.ts";
import type { GasTable, Signer } from "./chain.ts";
import { orderBook, pairsOf } from "./orders.ts";
import type { Pairs, Side } from "./orders.ts";

/** Every right to trade, with limits that no fill reaches: what is used of them is counted all the same. */
const RIGHTS = {
  scopes: 1,
  markets: 2n ** 64n - 1n,
  accounts: 2 ** 32 - 1,
  expiry: 2 ** 32 - 1,
  priceBand: 1_000_000,
  dailyNotional: 10n ** 9n,
  lossLimit: 10n ** 6n,
  equityFloor: 0,
};

/** The trades of `measureOperations` with session keys on both sides, which have traded before. */
export async function measureKeys(proxied: boolean): Promise<GasTable> {
  const f = await freshChain(proxied);
  const signed = orderBook(f);
  const signers = (await f.ethers.getSigners()).slice(1);
  const keys = new Map<Signer, Signer>();
  for (const [i, owner] of signers.slice(0, 4).entries()) {
    const key = signers[4 + i] ?? owner;
    await f.fund(owner, { cash: "100000" });
    await f.exchange.connect(owner).grant(owner, key, RIGHTS);
    keys.set(owner, key);
  }
  const [alice, bob, dave, erin] = [...keys.keys()] as [Signer, Signer, Signer, Signer];
  const by = (owner: Signer, size: string, resting: boolean): Side => [owner, size, resting, keys.get(owner)];
  const settle = async (sides: Side[], matches: Pairs) => f.exchange.settle(await signed(sides), pairsOf(matches));
  const pair = (maker: Signer, taker: Signer, size: string) =>
    settle([by(maker, `-${size}`, true), by(taker, size, false)], [[0, 1]]);
  await pair(dave, alice, "1");
  await pair(dave, bob, "1");
  await pair(alice, erin, "1");
  await pair(bob, erin, "1");

  const table: GasTable = {};
  table["by session keys: open"] = await gasOf(pair(alice, bob, "5"));
  table["by session keys: increase"] = await gasOf(pair(alice, bob, "5"));
  const single = await gasOf(pair(alice, bob, "1"));
  const oneTaker = [by(alice, "-1", true), by(dave, "-1", true), by(bob, "2", false)];
  const makers = await gasOf(
    settle(oneTaker, [
      [0, 2],
      [1, 2],
    ]),
  );
  const distinct = [by(alice, "-1", true), by(bob, "1", false), by(dave, "-1", true), by(erin, "1", false)];
  const pairs = await gasOf(
    settle(distinct, [
      [0, 1],
      [2, 3],
    ]),
  );
  table["by session keys, further fill: one taker, a maker increases"] = makers - single;
  table["by session keys, further fill: a distinct pair increases"] = pairs - single;
  return table;
}
