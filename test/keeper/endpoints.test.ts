import { inspect } from "node:util";

import { expect } from "chai";
import { keccak256, toBeHex, Wallet } from "ethers";

import { Endpoints, NoEndpoint, NotDeployed, verifyDeployment } from "../../src/keeper/endpoints.ts";
import type { EndpointOptions } from "../../src/keeper/endpoints.ts";
import type { AddressBook } from "../../src/sdk/addressBook.ts";
import { WrongChain } from "../../src/sdk/client.ts";
import { startAnvil } from "../helpers/anvil.ts";
import type { Anvil } from "../helpers/anvil.ts";
import { startFaultyProxy } from "./faultyProxy.ts";
import type { Asked, Fault, FaultyProxy } from "./faultyProxy.ts";

const CHAIN = 31337;

function thrownBy(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((thrown: unknown) => thrown);
}

describe("endpoints", () => {
  let anvil: Anvil;
  let proxies: FaultyProxy[];
  let opened: Endpoints[];

  before(async () => {
    anvil = await startAnvil();
    await anvil.provider.send("anvil_mine", [toBeHex(100)]);
  });
  after(() => anvil.stop());

  beforeEach(async () => {
    opened = [];
    proxies = await Promise.all([1, 2, 3].map(() => startFaultyProxy(anvil.url)));
  });
  afterEach(async () => {
    for (const one of opened) one.destroy();
    for (const proxy of proxies) await proxy.stop();
  });

  /** One provider of the first `count` proxies, which looks at their heads only when it is told to. */
  function over(count: number, options: Partial<EndpointOptions> = {}): Endpoints {
    const urls = proxies.slice(0, count).map(({ url }) => `${url}/secret-of-the-address`);
    const one = new Endpoints({ urls, chainId: CHAIN, checkInterval: 0, timeout: 1000, ...options });
    opened.push(one);
    return one;
  }

  const on = (method: string, fault: Fault) => (asked: Asked) => (asked.method === method ? fault : undefined);
  const states = (of: Endpoints) => of.health.map(({ state }) => state);
  const raw = async (nonce = 0) => {
    const wallet = new Wallet(Wallet.createRandom().privateKey);
    await anvil.provider.send("anvil_setBalance", [wallet.address, "0x3635c9adc5dea00000"]);
    const fees = { maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 10n ** 9n, gasLimit: 21_000n };
    return wallet.signTransaction({ to: wallet.address, chainId: CHAIN, nonce, type: 2, ...fees });
  };

  it("LIQ-5 reads from the next endpoint if one is silent, broken, late, limited or talks nonsense", async () => {
    const faults: Fault[] = [
      { drop: "request" },
      { drop: "answer" },
      { status: 500 },
      { status: 429, headers: { "retry-after": "60" } },
      { delay: 1500 },
      { error: { code: -32005, message: "limit exceeded" } },
      { error: { code: -32000, message: "header not found" } },
    ];
    for (const fault of faults) {
      const both = over(2);
      proxies[0]!.fault = on("eth_getBalance", fault);
      expect(await both.getBalance(Wallet.createRandom().address), inspect(fault)).to.equal(0n);
      expect(both.health[0]!.success).to.be.lessThan(1);
    }
  });

  it("LIQ-5 asks again, three times in all, where a request or its answer was lost, not what the node does not know", async () => {
    const one = over(1, { timeout: 5000 });
    const faults: Fault[] = [
      { drop: "request" },
      { drop: "answer" },
      { error: { code: -32000, message: "header not found" } },
    ];
    for (const fault of faults) {
      let lost = 2;
      proxies[0]!.fault = ({ method }) => (method === "eth_getBalance" && lost-- > 0 ? fault : undefined);
      expect(await one.getBalance(Wallet.createRandom().address), inspect(fault)).to.equal(0n);
    }
    proxies[0]!.fault = on("eth_getCode", { status: 500 });
    expect(await thrownBy(one.getCode(Wallet.createRandom().address))).to.be.instanceOf(NoEndpoint);
    expect(proxies[0]!.count("eth_getCode")).to.equal(3);
    expect(await thrownBy(one.send("eth_unheardOf", []))).to.be.instanceOf(NoEndpoint);
    expect(proxies[0]!.count("eth_unheardOf")).to.equal(1);
  });

  it("LIQ-5 reads at once what is read together, and asks the next endpoint for no more than what is missing", async () => {
    proxies[1]!.fault = on("eth_blockNumber", { delay: 300 }); // so that the other one is asked first
    const both = over(2);
    await both.check();
    proxies[0]!.fault = on("eth_getBalance", { error: { code: -32000, message: "header not found" } });
    const { address } = Wallet.createRandom();
    const before = proxies.map(({ requests }) => requests);
    const read = await Promise.all([
      both.getTransactionCount(address),
      both.getBalance(address),
      both.getCode(address),
    ]);
    expect(read).to.deep.equal([0, 0n, "0x"]);
    expect(proxies.map(({ requests }, i) => requests - before[i]!)).to.deep.equal([1, 1, 0]);
    expect(proxies[1]!.asked.map(({ method }) => method)).to.deep.equal([
      ...["eth_chainId", "eth_blockNumber", "eth_getBalance"],
    ]);
  });

  it("LIQ-5 hands on what a node answers, be it an error", async () => {
    const both = over(2);
    const error = await thrownBy(both.send("eth_sendRawTransaction", ["0x1234"]));
    expect(inspect(error)).to.match(/decode/);
    proxies[0]!.fault = on("eth_call", { error: { code: 3, message: "execution reverted" } });
    const revert = await thrownBy(both.call({ to: Wallet.createRandom().address }));
    expect(inspect(revert)).to.match(/execution reverted/);
    expect(proxies[1]!.count("eth_call")).to.equal(0);
  });

  it("LIQ-5 asks the fastest that is not behind, and does not waver between equals", async () => {
    proxies[0]!.fault = () => ({ delay: 150 });
    const both = over(2);
    await both.check();
    for (let i = 0; i < 5; ++i) await both.getBalance(Wallet.createRandom().address);
    expect(proxies.map((proxy) => proxy.count("eth_getBalance")).slice(0, 2)).to.deep.equal([0, 5]);
    // Ten blocks of lag weigh more than 150 ms.
    const head = await anvil.provider.getBlockNumber();
    proxies[1]!.fault = on("eth_blockNumber", { result: toBeHex(head - 10) });
    await both.check();
    expect(both.health.map(({ lag }) => lag)).to.deep.equal([0, 10]);
    await both.getBalance(Wallet.createRandom().address);
    expect(proxies[0]!.count("eth_getBalance")).to.equal(1);
  });

  it("LIQ-5 leaves an endpoint alone for as long as its 429 asks for, and waits for it if there is no other", async () => {
    const one = over(1, { timeout: 3000 });
    await one.getBlockNumber();
    let limited = 1;
    proxies[0]!.fault = () => (limited-- > 0 ? { status: 429, headers: { "retry-after": "1" } } : undefined);
    const begun = performance.now();
    const before = proxies[0]!.asked.length;
    await one.getBalance(Wallet.createRandom().address);
    expect(performance.now() - begun).to.be.greaterThan(950);
    expect(proxies[0]!.asked.length - before).to.equal(2);
    proxies[0]!.fault = () => ({ status: 429, headers: { "retry-after": "60" } });
    const error = await thrownBy(one.getBalance(Wallet.createRandom().address));
    expect(error).to.be.instanceOf(NoEndpoint);
    const asked = proxies[0]!.asked.length;
    await one.check();
    await one.getBalance(Wallet.createRandom().address).catch(() => undefined);
    expect(proxies[0]!.asked.length).to.equal(asked);
  });

  it("LIQ-5 never uses a node of another chain", async () => {
    proxies[0]!.fault = on("eth_chainId", { result: "0x1" });
    const both = over(2);
    await both.getBalance(Wallet.createRandom().address);
    await both.send("eth_sendRawTransaction", [await raw()]);
    expect(states(both)).to.deep.equal(["wrongChain", "healthy"]);
    expect(proxies[0]!.asked.map(({ method }) => method)).to.deep.equal(["eth_chainId"]);
    const error = await thrownBy(over(1).getBlockNumber());
    expect(error).to.be.instanceOf(WrongChain);
    expect(error).to.include({ connected: 1, expected: CHAIN });
  });

  it("LIQ-5 puts aside who is far ahead of all others from the start, and who goes back", async () => {
    const head = await anvil.provider.getBlockNumber();
    const three = over(3);
    proxies[0]!.fault = on("eth_blockNumber", { result: toBeHex(head + 1000) });
    await three.check();
    expect(states(three)).to.deep.equal(["aside", "healthy", "healthy"]);
    expect(await three.getBlockNumber()).to.equal(head);
    proxies[1]!.fault = on("eth_blockNumber", { result: toBeHex(head - 60) });
    await three.check();
    expect(states(three)).to.deep.equal(["aside", "aside", "healthy"]);
    expect(await three.getBlockNumber()).to.equal(head);
    const asked = proxies[0]!.asked.length;
    await three.getBalance(Wallet.createRandom().address);
    expect(proxies[0]!.asked.length).to.equal(asked);
  });

  it("LIQ-5 of two puts aside who leaps ahead, and asks the other in the same breath", async () => {
    const head = await anvil.provider.getBlockNumber();
    const both = over(2);
    await both.check();
    for (const proxy of proxies) proxy.fault = () => undefined;
    const current = both.health.findIndex(({ latency }) => latency === Math.min(...both.health.map((h) => h.latency)));
    const block = { ...((await anvil.provider.send("eth_getBlockByNumber", ["latest", false])) as object) };
    const lie = { ...block, number: toBeHex(head + 51) };
    proxies[current]!.fault = on("eth_getBlockByNumber", { result: lie });
    expect((await both.getBlock("latest"))?.number).to.equal(head);
    await both.getBlock("latest");
    expect(proxies[current]!.count("eth_getBlockByNumber") <= 1).to.equal(true);
  });

  it("LIQ-5 does not take the one that is right for a liar when the other is far behind", async () => {
    const head = await anvil.provider.getBlockNumber();
    const both = over(2);
    await both.check();
    proxies[1]!.fault = on("eth_blockNumber", { result: toBeHex(head) }); // it stands still
    await anvil.provider.send("anvil_mine", [toBeHex(40)]);
    await both.check();
    await anvil.provider.send("anvil_mine", [toBeHex(40)]);
    await both.check();
    expect(both.health.map(({ state, lag }) => [state, lag])).to.deep.equal([
      ["healthy", 0],
      ["healthy", 80],
    ]);
  });

  it("LIQ-5 broadcasts to all, and succeeds if one takes it", async () => {
    const three = over(3);
    await three.check();
    proxies[0]!.fault = on("eth_sendRawTransaction", { drop: "request" });
    proxies[1]!.fault = on("eth_sendRawTransaction", { error: { code: -32000, message: "insufficient funds" } });
    const signed = await raw();
    expect(await three.send("eth_sendRawTransaction", [signed])).to.equal(keccak256(signed));
    expect(proxies.map((proxy) => proxy.count("eth_sendRawTransaction"))).to.deep.equal([1, 1, 1]);
    // A second time the node knows it, which is as good.
    proxies[2]!.fault = on("eth_sendRawTransaction", { error: { code: -32000, message: "already known" } });
    expect(await three.send("eth_sendRawTransaction", [signed])).to.equal(keccak256(signed));
  });

  it("LIQ-5 calls a transaction refused only if nobody may have taken it", async () => {
    const both = over(2);
    await both.check();
    const refusal = on("eth_sendRawTransaction", { error: { code: -32000, message: "insufficient funds" } });
    for (const proxy of proxies) proxy.fault = refusal;
    expect(await thrownBy(both.broadcastTransaction(await raw()))).to.include({ code: "INSUFFICIENT_FUNDS" });
    proxies[0]!.fault = on("eth_sendRawTransaction", { drop: "answer" });
    const error = await thrownBy(both.broadcastTransaction(await raw()));
    expect(error).to.be.instanceOf(NoEndpoint);
  });

  it("LIQ-5 gives transactions to the private relay and to nobody else", async () => {
    const [, , relay] = proxies;
    for (const method of ["eth_sendRawTransaction", "eth_sendPrivateTransaction"] as const) {
      const both = over(2, { relay: { url: relay!.url, method } });
      const signed = await raw();
      relay!.fault = on(method, { result: keccak256(signed) });
      expect(await both.send("eth_sendRawTransaction", [signed])).to.equal(keccak256(signed));
      const [asked] = relay!.asked.slice(-1);
      const params = method === "eth_sendRawTransaction" ? [signed] : [{ tx: signed }];
      expect(asked).to.deep.include({ method, params });
      relay!.fault = () => ({ status: 500 });
      expect(await thrownBy(both.send("eth_sendRawTransaction", [signed]))).to.be.instanceOf(NoEndpoint);
      expect(proxies.slice(0, 2).map((proxy) => proxy.count("eth_sendRawTransaction"))).to.deep.equal([0, 0]);
    }
  });

  it("LIQ-5 says which endpoints fail and how, without their addresses", async () => {
    for (const proxy of proxies) proxy.fault = () => ({ status: 503 });
    const error = await thrownBy(over(2).getBlockNumber());
    expect(error).to.be.instanceOf(NoEndpoint);
    const { method, problems } = error as NoEndpoint;
    const hosts = proxies.slice(0, 2).map(({ url }) => new URL(url).host);
    expect([method, problems]).to.deep.equal(["eth_blockNumber", hosts.map((host) => `${host}: HTTP 503`)]);
    expect(inspect(error, { depth: 9, showHidden: true })).to.not.include("secret-of-the-address");
  });

  it("LIQ-5 checks chain and code of every contract before it starts", async () => {
    const there = "0x00000000000000000000000000000000000000C0";
    const nowhere = "0x00000000000000000000000000000000000000c1";
    await anvil.provider.send("anvil_setCode", [there, "0x00"]);
    const asset = { symbol: "USDC", token: there, decimals: 6, mock: true };
    const book: AddressBook = {
      ...{
        chainId: CHAIN,
        deployBlock: 0,
        markets: [],
        cash: asset,
        collaterals: [{ ...asset, id: 0, underlying: 0 }],
      },
      contracts: {
        ...{ accessManager: there, vault: there, clearingHouse: there, exchange: there },
        ...{ riskEngine: there, priceOracle: there, insuranceFund: there },
      },
      underlyings: [{ id: 0, name: "ETH", feed: there, feedDecimals: 8, mock: true }],
    };
    const provider = over(1);
    await verifyDeployment(provider, book);
    const [underlying] = book.underlyings;
    const wrong: [AddressBook, string][] = [
      [{ ...book, contracts: { ...book.contracts, vault: nowhere } }, "vault"],
      [{ ...book, cash: { ...asset, token: nowhere } }, "USDC"],
      [{ ...book, underlyings: [{ ...underlying!, feed: nowhere }] }, "feed of ETH"],
    ];
    for (const [one, contract] of wrong) {
      const error = await thrownBy(verifyDeployment(provider, one));
      expect(error).to.be.instanceOf(NotDeployed);
      expect(error).to.include({ contract, address: nowhere });
    }
    const error = await thrownBy(verifyDeployment(provider, { ...book, chainId: 1 }));
    expect(error).to.be.instanceOf(WrongChain);
  });
});
