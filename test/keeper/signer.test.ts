import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { inspect } from "node:util";

import { expect } from "chai";
import { getBytes, Wallet } from "ethers";

import { LocalSigner, openSigner, RemoteSigner, RemoteSigningFailed, UnusableSigner } from "../../src/keeper/signer.ts";
import type { SignerSettings } from "../../src/keeper/signer.ts";
import { WAD } from "../../src/risk/fixed.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { buildOrder, signOrder, verifyOrder } from "../../src/sdk/orders.ts";
import { startAnvil } from "../helpers/anvil.ts";
import type { Anvil } from "../helpers/anvil.ts";
import { startFaultyProxy } from "./faultyProxy.ts";

const KEY = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
const PASSWORD = "a password that nobody shall see";
const TRANSACTION = {
  ...{ chainId: 31337, nonce: 7, to: "0x00000000000000000000000000000000000000AA", data: "0x1234", gasLimit: 100_000n },
  ...{ maxFeePerGas: 3n * 10n ** 9n, maxPriorityFeePerGas: 10n ** 9n, type: 2 as const },
};

const VENUE = { chainId: 31337, contracts: { exchange: "0x00000000000000000000000000000000000000eE" } };
const ORDER = buildOrder({
  ...{ account: accountId(new Wallet(KEY).address), market: 0n, size: -WAD, limitPrice: 2000n * WAD, nonce: 7n },
});

describe("signer", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "signer-"));
  const keystore = path.join(folder, "keystore.json");
  const passwordFile = path.join(folder, "password");
  const wallet = new Wallet(KEY);
  let anvil: Anvil;

  before(async () => {
    writeFileSync(keystore, await wallet.encrypt(PASSWORD, undefined));
    writeFileSync(passwordFile, `${PASSWORD}\n`);
    anvil = await startAnvil();
  });
  after(async () => {
    await anvil.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it("LIQ-5 signs by native code what ethers signs, to the byte", async () => {
    const signer = new LocalSigner(getBytes(KEY));
    expect(signer.address).to.equal(wallet.address);
    for (let nonce = 0; nonce < 50; ++nonce) {
      const transaction = { ...TRANSACTION, nonce };
      expect(await signer.signTransaction(transaction)).to.equal(await wallet.signTransaction(transaction));
    }
  });

  it("LIQ-5 signs orders too, itself or by an external signer whose signature is checked", async () => {
    const local = new LocalSigner(getBytes(KEY));
    expect(await signOrder(local, VENUE, ORDER)).to.equal(await signOrder(wallet, VENUE, ORDER));
    const address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"; // of anvil's first account
    const remote = await openSigner({ SIGNER_URL: anvil.url, SIGNER_ADDRESS: address });
    const account = accountId(address);
    const signature = await signOrder(remote, VENUE, { ...ORDER, account });
    expect(verifyOrder(VENUE, { order: { ...ORDER, account }, signature })).to.equal(true);
    const proxy = await startFaultyProxy(anvil.url);
    const signer = new RemoteSigner(proxy.url, address);
    for (const answer of [await signOrder(wallet, VENUE, ORDER), "0x1234"]) {
      proxy.fault = () => ({ result: answer });
      expect(await signOrder(signer, VENUE, ORDER).catch((e: unknown) => e)).to.be.instanceOf(RemoteSigningFailed);
    }
    await proxy.stop();
  });

  it("LIQ-5 opens the key from the environment, or a keystore with its password or a file of it", async () => {
    const given: SignerSettings[] = [
      { PRIVATE_KEY: KEY },
      { KEYSTORE: keystore, KEYSTORE_PASSWORD: PASSWORD },
      { KEYSTORE: keystore, KEYSTORE_PASSWORD_FILE: passwordFile },
    ];
    for (const settings of given) expect((await openSigner(settings)).address).to.equal(wallet.address);
  });

  it("LIQ-5 has an external signer sign over JSON-RPC", async () => {
    const address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"; // of anvil's first account
    const signer = await openSigner({ SIGNER_URL: anvil.url, SIGNER_ADDRESS: address.toLowerCase() });
    expect(signer.address).to.equal(address);
    const raw = await signer.signTransaction({ ...TRANSACTION, nonce: 0 });
    const { hash } = await anvil.provider.broadcastTransaction(raw);
    expect((await anvil.provider.waitForTransaction(hash))?.from).to.equal(address);
  });

  it("LIQ-5 takes from an external signer nothing but what it has asked for", async () => {
    const proxy = await startFaultyProxy(anvil.url);
    const signer = new RemoteSigner(proxy.url, wallet.address);
    const other = { ...TRANSACTION, to: "0x00000000000000000000000000000000000000bb" };
    const stranger = new Wallet(Wallet.createRandom().privateKey);
    const right = await wallet.signTransaction(TRANSACTION);
    proxy.fault = () => ({ result: { raw: right, tx: {} } }); // as geth and clef answer
    expect(await signer.signTransaction(TRANSACTION)).to.equal(right);
    const wrong = [await wallet.signTransaction(other), await stranger.signTransaction(TRANSACTION), "0x1234"];
    const faults = [...wrong.map((result) => ({ result })), { status: 500 }, { error: { code: -32000, message: KEY } }];
    for (const fault of faults) {
      proxy.fault = () => fault;
      const error: unknown = await signer.signTransaction(TRANSACTION).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(RemoteSigningFailed);
      expect(inspect(error)).to.not.include(KEY.slice(2));
    }
    await proxy.stop();
  });

  it("LIQ-5 says which setting is wrong and how, and never what is in it", async () => {
    const broken = path.join(folder, "broken.json");
    writeFileSync(broken, `{"crypto": "${KEY}"}`);
    const missing = path.join(folder, KEY); // somebody has taken the key for the path
    const url = `http://user:${KEY}@127.0.0.1:1/`;
    const cases: [SignerSettings, keyof SignerSettings][] = [
      [{}, "PRIVATE_KEY"],
      [{ PRIVATE_KEY: KEY.slice(2) }, "PRIVATE_KEY"],
      [{ PRIVATE_KEY: `${KEY}00` }, "PRIVATE_KEY"],
      [{ PRIVATE_KEY: `0x${"f".repeat(64)}` }, "PRIVATE_KEY"], // above the order of the curve
      [{ PRIVATE_KEY: KEY, KEYSTORE: keystore }, "KEYSTORE"],
      [{ PRIVATE_KEY: KEY, SIGNER_URL: url }, "SIGNER_URL"],
      [{ KEYSTORE: keystore }, "KEYSTORE_PASSWORD"],
      [{ KEYSTORE: keystore, KEYSTORE_PASSWORD: `${PASSWORD}!` }, "KEYSTORE_PASSWORD"],
      [{ KEYSTORE: keystore, KEYSTORE_PASSWORD_FILE: missing }, "KEYSTORE_PASSWORD_FILE"],
      [{ KEYSTORE: missing, KEYSTORE_PASSWORD: PASSWORD }, "KEYSTORE"],
      [{ KEYSTORE: broken, KEYSTORE_PASSWORD: PASSWORD }, "KEYSTORE"],
      [{ SIGNER_URL: KEY, SIGNER_ADDRESS: wallet.address }, "SIGNER_URL"],
      [{ SIGNER_URL: url, SIGNER_ADDRESS: KEY }, "SIGNER_ADDRESS"],
      [{ SIGNER_URL: url }, "SIGNER_ADDRESS"],
    ];
    for (const [settings, setting] of cases) {
      const error: unknown = await openSigner(settings).catch((thrown: unknown) => thrown);
      expect(error, JSON.stringify(settings)).to.be.instanceOf(UnusableSigner);
      expect((error as UnusableSigner).setting).to.equal(setting);
      const said = inspect(error, { depth: 9, showHidden: true });
      for (const secret of [KEY.slice(2), PASSWORD]) expect(said, setting).to.not.include(secret);
    }
  });

  it("LIQ-5 shows no key to whoever prints a signer", async () => {
    const signer = await openSigner({ PRIVATE_KEY: KEY });
    const said = inspect(signer, { depth: 9, showHidden: true }) + JSON.stringify(signer);
    expect(said).to.not.include(KEY.slice(2));
    expect(said).to.not.include(String(getBytes(KEY)).slice(0, 12));
  });
});
