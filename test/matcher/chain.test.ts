import { expect } from "chai";
import { JsonRpcProvider, Wallet } from "ethers";
import type { Filter, FilterByBlockHash, Log, TransactionRequest } from "ethers";

import { ChainMirror } from "../../src/matcher/chain.ts";
import { NodeIncomplete, Plimsoll } from "../../src/sdk/client.ts";
import { buildGrant } from "../../src/sdk/sessionKeys.ts";
import type { GrantTerms } from "../../src/sdk/sessionKeys.ts";
import { parseWad } from "../../src/sdk/units.ts";
import { Exchange__factory, IClearingHouse__factory } from "../../types/index.ts";
import { Venue } from "./venue.ts";
import type { Trader } from "./venue.ts";

const HOUR = 3600;
const exchange = Exchange__factory.createInterface();
const TRADE = IClearingHouse__factory.createInterface().getEvent("Trade").topicHash;

/** A provider that leaves trades out as long as it is told to, and keeps the keys that it is asked for. */
class OddProvider extends JsonRpcProvider {
  isForgetful = false;
  readonly asked: string[] = [];

  override async getLogs(filter: Filter | FilterByBlockHash): Promise<Log[]> {
    const logs = await super.getLogs(filter);
    return this.isForgetful ? logs.filter(({ topics }) => topics[0] !== TRADE) : logs;
  }

  override call(request: TransactionRequest): Promise<string> {
    const call = exchange.parseTransaction({ data: request.data ?? "0x" });
    if (call?.name === "sessionKey") this.asked.push(String(call.args.key));
    return super.call(request);
  }
}

describe("the matcher's mirror of the chain", () => {
  let venue: Venue;
  let provider: OddProvider;
  let [alice, bob]: Trader[] = [];

  before(async () => {
    venue = await Venue.open();
    provider = new OddProvider(venue.anvil.url, undefined, { cacheTimeout: -1 });
    [alice, bob] = [await venue.trader("100000"), await venue.trader("100000")];
  });
  after(async () => {
    provider.destroy();
    await venue.close();
  });

  /** A new key of Alice's, by her or by a key of hers. */
  async function grantKey(terms: Partial<GrantTerms>, by: Trader = alice!): Promise<Trader> {
    const wallet = new Wallet(Wallet.createRandom().privateKey, venue.anvil.provider);
    await venue.fundGas(wallet.address);
    const grant = buildGrant({ scopes: ["trade"], ...terms });
    await (await by.house.exchange.grant(alice!.wallet.address, wallet.address, grant)).wait();
    return { ...alice!, wallet, house: await Plimsoll.connect(venue.book, wallet) };
  }

  /** Sells to Bob at 2,000; returns the seller's nonce. */
  async function sell(seller: Trader, size: string): Promise<bigint> {
    const ask = await venue.order(seller, `-${size}`, "2000", { resting: true });
    await bob!.house.settleOrders([ask, await venue.order(bob!, size, "2000")], [{ maker: 0, taker: 1 }]);
    return ask.order.nonce;
  }

  it("OB-1 takes the sizes of matches from their trades, and changes nothing while a node leaves those out", async () => {
    const mirror = new ChainMirror(provider, venue.book, 1000, 1000);
    await mirror.sync();
    const nonce = await sell(alice!, "0.2");
    provider.isForgetful = true;
    for (let i = 0; i < 2; ++i) {
      const error = await mirror.sync().catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(NodeIncomplete);
      expect((error as NodeIncomplete).missing).to.match(/^the trades of 0x\w{64}$/);
      expect(mirror.filled(alice!.account, nonce)).to.equal(0n);
    }
    provider.isForgetful = false;
    const { matched } = await mirror.sync();
    expect(matched.map(({ size }) => size)).to.deep.equal([parseWad("0.2")]);
    expect(mirror.filled(alice!.account, nonce)).to.equal(parseWad("0.2"));
  });

  it("AUTH-2 asks for what is left to living keys at the start, then to those that sign, and to those above them, once", async () => {
    const { timestamp } = (await venue.anvil.provider.getBlock("latest"))!;
    await grantKey({ expiry: timestamp + HOUR });
    const ended = await grantKey({ expiry: timestamp + 3 * HOUR });
    await (await alice!.house.exchange.revoke(alice!.wallet.address, ended.wallet.address)).wait();
    const limits = { expiry: timestamp + 3 * HOUR, dailyNotional: 1000, lossLimit: 10 };
    const manager = await grantKey({ scopes: ["trade", "grant"], ...limits });
    const bots = [await grantKey(limits, manager), await grantKey(limits, manager)];
    await venue.anvil.provider.send("evm_increaseTime", [2 * HOUR]);
    await venue.anvil.provider.send("evm_mine", []);
    const mirror = new ChainMirror(provider, venue.book, 0, 1000);
    await mirror.sync();
    const addresses = [manager, ...bots].map(({ wallet }) => wallet.address);
    expect(provider.asked).to.have.members(addresses);

    provider.asked.length = 0;
    await sell(bots[0]!, "0.1");
    const { owners } = await mirror.sync();
    expect(provider.asked).to.deep.equal([addresses[1], addresses[0]]);
    const owner = alice!.wallet.address.toLowerCase();
    expect([...owners]).to.deep.equal([owner]); // whose orders are looked at again
    const left = addresses.map((key) => mirror.keys.get(owner, key.toLowerCase())?.notionalLeft);
    expect(left).to.deep.equal([80_000n, 80_000n, 100_000n]); // of 1,000, 0.1 · 2,000 is traded by the first bot

    provider.asked.length = 0;
    await sell(alice!, "0.1");
    await mirror.sync();
    expect(provider.asked).to.deep.equal([]);
  });
});
