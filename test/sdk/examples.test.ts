import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { formatWithOptions } from "node:util";

import { expect } from "chai";
import { Wallet } from "ethers";
import type { JsonRpcSigner } from "ethers";
import hre, { network } from "hardhat";

import { resolveNetwork } from "../../deploy/config.ts";
import local from "../../deploy/networks/local.ts";
import { deployPlimsoll } from "../../deploy/plimsoll.ts";
import type * as Sdk from "../../src/sdk/index.ts";
import type { AddressBook } from "../../src/sdk/addressBook.ts";
import { MockERC20__factory, MockV3Aggregator__factory } from "../../types/index.ts";
import { setAnswer, startAnvil } from "../helpers/anvil.ts";
import type { Anvil } from "../helpers/anvil.ts";
import { examplesIn, examplesOf, moduleOf } from "../helpers/examples.ts";
import type { Example } from "../helpers/examples.ts";
import { deployPermit2By } from "../helpers/permit2.ts";
import { compile, copySource, installSdk } from "../helpers/sdkPackage.ts";
import type { Consumer } from "../helpers/sdkPackage.ts";
import { matcherConfig, serveMatcher } from "../matcher/venue.ts";
import type { Served } from "../matcher/venue.ts";

/** What the examples begin with, by its type in `src/sdk/npm/consumers/context.ts`. */
const CLIENT = {
  name: "ClientContext",
  members: [
    ...["addressBook", "addressBookFile", "provider", "alice", "bob", "house", "account"],
    ...["matcherUrl", "setPrice", "passTime", "console"],
  ],
};
const RISK = { name: "RiskContext", members: ["house", "account", "alice", "bob", "console"] };
const USDC = 10n ** 6n;

/** Each documented example against a house of its own: the one that the package's README describes. */
describe("the examples of the API documentation", () => {
  const ofClient = [...examplesOf("src/sdk"), ...examplesIn("src/sdk/npm/README.md")];
  const ofRisk = examplesOf("src/risk");
  const ofErrors = ofRisk.filter(({ name }) => name.startsWith("plimsollError."));
  const groups = [
    { context: CLIENT, examples: [...ofClient, ...ofErrors] },
    { context: RISK, examples: ofRisk.filter((example) => !ofErrors.includes(example)) },
  ];
  const deploymentId = `test-examples-${process.pid}`;
  const addressBookFile = path.join(tmpdir(), `plimsoll-${deploymentId}.json`);
  let anvil: Anvil;
  let consumer: Consumer;
  let client: Awaited<ReturnType<typeof openHouse>>;
  let snapshot: unknown;

  before(async () => {
    [consumer, anvil] = await Promise.all([installSdk(), startAnvil()]);
    await compileExamples();
    const connection = await network.create({ network: "localhost", override: { url: anvil.url } });
    const { addressBook } = await deployPlimsoll(connection, resolveNetwork(local), {
      deploymentId,
      addressBook: addressBookFile,
    });
    client = await openHouse(addressBook);
  });
  after(async () => {
    await anvil.stop();
    rmSync(path.join(hre.config.paths.ignition, "deployments", deploymentId), { recursive: true, force: true });
    rmSync(addressBookFile, { force: true });
  });
  beforeEach(async () => {
    snapshot = await anvil.provider.send("evm_snapshot", []);
  });
  afterEach(async () => {
    await anvil.provider.send("evm_revert", [snapshot]);
  });

  it("are there for every function and every method", async () => {
    const [sdk, risk] = [await load<typeof Sdk>(entryFile("sdk")), await load<object>(entryFile("sdk/risk"))];
    const functions = Object.entries({ ...sdk, ...risk }).filter(([, value]) => isFunction(value));
    const methods = Object.getOwnPropertyNames(sdk.Plimsoll.prototype).filter((name) => name !== "constructor");
    const all = groups.flatMap(({ examples }) => examples.map(({ code }) => code)).join("");
    const missing = [...functions.map(([name]) => name), ...methods].filter((name) => !all.includes(`${name}(`));
    expect(missing).to.deep.equal([]);
  });

  for (const { context, examples } of groups) {
    for (const [i, example] of examples.entries()) {
      it(`${example.name} (${context.name})`, async () => {
        const printed: string[] = [];
        const log = (...values: unknown[]) => printed.push(formatWithOptions({ colors: false }, ...values));
        const { default: run } = await load<{ default: (c: object) => Promise<void> }>(`out/${context.name}${i}.js`);
        const served = example.code.includes("matcherUrl") ? await serve() : undefined;
        try {
          await run({ ...(await contextOf(context.name)), matcherUrl: served?.url, console: { log } });
        } finally {
          await served?.stop();
        }
        expect(printed).to.deep.equal(example.printed);
      });
    }
  }

  /** A matcher that has read the chain as it is now, with a log of its own. */
  async function serve(): Promise<Served> {
    const [key, folder] = [Wallet.createRandom().privateKey, mkdtempSync(path.join(tmpdir(), "plimsoll-examples-"))];
    const settings = { RPC_URL: anvil.url, ADDRESS_BOOK: addressBookFile, PRIVATE_KEY: key, DATA_FOLDER: folder };
    const served = await serveMatcher(anvil.provider, client.addressBook, key, matcherConfig(settings));
    await served.matcher.sync();
    const stop = async (): Promise<void> => {
      await served.stop();
      rmSync(folder, { recursive: true });
    };
    return { ...served, stop };
  }

  async function compileExamples(): Promise<void> {
    const exported = new Map<string, string[]>();
    for (const entry of ["sdk", "sdk/node", "sdk/risk"]) {
      exported.set(`@plimsoll/${entry}`, Object.keys(await load<object>(entryFile(entry))));
    }
    copySource(consumer, "context.ts");
    const files = groups.flatMap(({ context, examples }) =>
      examples.map((example: Example, i) => {
        const file = `${context.name}${i}.ts`;
        writeFileSync(path.join(consumer.folder, file), moduleOf(example, exported, context));
        return file;
      }),
    );
    const options = ["--module", "nodenext", "--rewriteRelativeImportExtensions", "--skipLibCheck"];
    await compile(consumer, files, options);
  }

  /** Alice and Bob have 10,000 USDC in their accounts, Alice has bought 10 ETH of Bob at 2,000. */
  async function openHouse(addressBook: AddressBook) {
    const { Plimsoll, accountId } = await load<typeof Sdk>(entryFile("sdk"));
    const [alice, bob] = await Promise.all([anvil.provider.getSigner(1), anvil.provider.getSigner(2)]);
    const [house, bobs] = [await Plimsoll.connect(addressBook, alice), await Plimsoll.connect(addressBook, bob)];
    const account = accountId(alice.address);
    await deployPermit2By(alice);
    for (const trader of [house, bobs]) await fund(trader, trader === house ? alice : bob);
    const terms = { market: 0, limitPrice: "2000", nonce: 0n };
    const ask = await bobs.order({ ...terms, account: accountId(bob.address), size: "-10", resting: true });
    const bid = await house.order({ ...terms, account, size: "10" });
    await house.settleOrders([ask, bid], [{ maker: 0, taker: 1 }]);
    const { provider } = anvil;
    const [setPrice, passTime] = [setPriceOf(addressBook), passTimeOf(addressBook)];
    return { addressBook, addressBookFile, provider, alice, bob, house, account, setPrice, passTime };

    async function fund(trader: Sdk.Plimsoll, signer: JsonRpcSigner): Promise<void> {
      for (const [symbol, units] of [
        ["USDC", 100_000n * USDC],
        ["WETH", 5n * 10n ** 18n],
      ] as const) {
        const { token } = [addressBook.cash, ...addressBook.collaterals].find((asset) => asset.symbol === symbol)!;
        await (await MockERC20__factory.connect(token, signer).mint(signer, units)).wait();
      }
      await trader.deposit(accountId(signer.address), "USDC", "10000");
    }
  }

  function setPriceOf(addressBook: AddressBook) {
    return async (underlying: string, price: string): Promise<void> => {
      const { feed, feedDecimals } = addressBook.underlyings.find(({ name }) => name === underlying)!;
      const answer = BigInt(price) * 10n ** BigInt(feedDecimals);
      await setAnswer(anvil, feed, answer);
    };
  }

  function passTimeOf(addressBook: AddressBook) {
    return async (seconds: number): Promise<void> => {
      await anvil.provider.send("evm_increaseTime", [seconds]);
      for (const { feed } of addressBook.underlyings) {
        const aggregator = MockV3Aggregator__factory.connect(feed, anvil.provider);
        await setAnswer(anvil, feed, await aggregator.latestAnswer());
      }
    };
  }

  async function contextOf(name: string): Promise<object> {
    if (name === CLIENT.name) return client;
    const { account, house } = await client.house.view(client.account);
    return { account, house, alice: client.alice, bob: client.bob };
  }

  /** A module of the consumer's folder: its classes are those of the installed package. */
  async function load<T>(file: string): Promise<T> {
    return (await import(path.join(consumer.folder, file))) as T;
  }
});

function isFunction(value: unknown): boolean {
  return typeof value === "function" && !value.toString().startsWith("class");
}

function entryFile(entry: string): string {
  const file = { sdk: "src/sdk/index.js", "sdk/node": "src/sdk/node.js", "sdk/risk": "src/risk/index.js" }[entry]!;
  return `node_modules/@plimsoll/sdk/esm/${file}`;
}
