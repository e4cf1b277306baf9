import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";
import { Wallet } from "ethers";
import type { Provider, Signer } from "ethers";
import hre, { network } from "hardhat";

import { resolveNetwork } from "../../deploy/config.ts";
import local from "../../deploy/networks/local.ts";
import { deployPlimsoll } from "../../deploy/plimsoll.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import type { AddressBook } from "../../src/sdk/addressBook.ts";
import { withdrawCall } from "../../src/sdk/calls.ts";
import { Plimsoll } from "../../src/sdk/client.ts";
import { ContractError, decodeError } from "../../src/sdk/errors.ts";
import { IClearingHouse__factory, MockERC20__factory } from "../../types/index.ts";
import { startAnvil } from "../helpers/anvil.ts";
import type { Anvil } from "../helpers/anvil.ts";
import { freshHouse } from "../helpers/fixture.ts";

interface Side {
  signer: Signer;
  provider: Provider;
  addressBook: AddressBook;
}

/** The same refusals on every path a provider can throw them. */
function decodesOnEveryPath(side: () => Promise<Side>): void {
  // An empty main account can pay nothing: InsufficientCash(account, 0, 1e18) for 1 USDC.
  const refused = async (act: (s: Side, target: string, data: string) => Promise<unknown>) => {
    const s = await side();
    const owner = await s.signer.getAddress();
    const call = withdrawCall(s.addressBook, accountId(owner), "USDC", "1", owner);
    const error = decodeError(await caught(act(s, call.target, call.data)));
    expect(error).to.be.instanceOf(ContractError);
    expect(error?.name).to.equal("InsufficientCash");
    expect(error?.args).to.deep.equal({ account: accountId(owner), available: 0n, required: 10n ** 18n });
  };

  it("call", () => refused(async (s, to, data) => s.signer.call({ to, data })));
  it("static call of a contract", () =>
    refused(async (s, to) => {
      const owner = await s.signer.getAddress();
      const ledger = IClearingHouse__factory.connect(to, s.signer);
      return ledger.withdraw.staticCall(accountId(owner), s.addressBook.cash.token, 1_000_000n, owner);
    }));
  it("estimateGas", () => refused(async (s, to, data) => s.signer.estimateGas({ to, data })));
  it("sendTransaction", () => refused(async (s, to, data) => s.signer.sendTransaction({ to, data })));
  it("a transaction that fails when it is mined", () =>
    refused(async (s) => {
      const signer = new Proxy(s.signer, {
        get: (target, key) =>
          key === "estimateGas" ? () => Promise.resolve(400_000n) : bound(target, Reflect.get(target, key, target)),
      });
      const client = await Plimsoll.connect(s.addressBook, signer);
      return client.withdraw(accountId(await s.signer.getAddress()), "USDC", "1");
    }));
  it("the client", () =>
    refused(async (s) => {
      const client = await Plimsoll.connect(s.addressBook, s.signer);
      return client.withdraw(accountId(await s.signer.getAddress()), "USDC", "1");
    }));

  it("an error of a token that the house calls", async () => {
    const s = await side();
    const owner = await s.signer.getAddress();
    const client = await Plimsoll.connect(s.addressBook, s.signer);
    const error = await caught(client.deposit(accountId(owner), "USDC", "5")); // he has none
    expect(error).to.be.instanceOf(ContractError).with.property("name", "ERC20InsufficientBalance");
    expect((error as ContractError).args).to.deep.equal({ sender: owner, balance: 0n, needed: 5_000_000n });
  });

  it("an error of a linked library", async () => {
    const s = await side();
    const owner = await s.signer.getAddress();
    const ledger = IClearingHouse__factory.connect(s.addressBook.contracts.clearingHouse, s.signer);
    const error = decodeError(await caught(ledger.settle.staticCall(7, [accountId(owner)])));
    expect(error).to.include({ name: "UnknownMarket" });
    expect(error?.args).to.deep.equal({ market: 7n });
  });

  it("a panic", async () => {
    const s = await side();
    const token = MockERC20__factory.connect(s.addressBook.cash.token, s.signer);
    const huge = (1n << 256n) - 1n;
    await (await token.mint(s.addressBook.contracts.exchange, 1n)).wait();
    const error = decodeError(await caught(token.mint.staticCall(await s.signer.getAddress(), huge)));
    expect(error).to.include({ name: "Panic" });
    expect(error?.args).to.deep.equal({ 0: 0x11n });
  });
}

describe("MAS-7 custom errors, hardhat in-process", () => {
  decodesOnEveryPath(async () => {
    const { dave, addressBook, ethers } = await freshHouse();
    return { signer: dave, provider: ethers.provider, addressBook };
  });
});

describe("MAS-7 custom errors, anvil over JSON-RPC", () => {
  const deploymentId = `test-errors-${process.pid}`;
  const file = path.join(tmpdir(), `plimsoll-${deploymentId}.json`);
  let anvil: Anvil;
  let addressBook: AddressBook;

  before(async () => {
    anvil = await startAnvil();
    const connection = await network.create({ network: "localhost", override: { url: anvil.url } });
    ({ addressBook } = await deployPlimsoll(connection, resolveNetwork(local), { deploymentId, addressBook: file }));
  });
  after(async () => {
    await anvil.stop();
    rmSync(path.join(hre.config.paths.ignition, "deployments", deploymentId), { recursive: true, force: true });
    rmSync(file, { force: true });
  });

  describe("unlocked account", () => {
    decodesOnEveryPath(async () => ({
      signer: await anvil.provider.getSigner(5),
      provider: anvil.provider,
      addressBook,
    }));
  });

  describe("wallet", () => {
    const wallet = Wallet.createRandom();
    before(async () => {
      await anvil.provider.send("anvil_setBalance", [wallet.address, "0x56bc75e2d63100000"]);
    });
    decodesOnEveryPath(() =>
      Promise.resolve({ signer: wallet.connect(anvil.provider), provider: anvil.provider, addressBook }),
    );
  });
});

describe("decodeError", () => {
  it("finds nothing where there is no contract's error", () => {
    expect(decodeError(new Error("no network"))).to.equal(undefined);
    expect(decodeError(undefined)).to.equal(undefined);
    const cyclic: Record<string, unknown> = { data: "0x12345678" };
    cyclic.error = cyclic;
    expect(decodeError(cyclic)).to.equal(undefined);
  });
});

/** A member of a signer that works on the signer itself, not on a proxy of it. */
function bound(signer: Signer, member: unknown): unknown {
  return typeof member === "function" ? (member.bind(signer) as unknown) : member;
}

function caught(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
