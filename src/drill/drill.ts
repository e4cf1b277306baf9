import { setTimeout as sleep } from "node:timers/promises";

import { getBytes, toQuantity, Wallet } from "ethers";
import pino from "pino";

import { IClearingHouse__factory } from "../../types/index.ts";
import type { KeeperConfig } from "../keeper/config.ts";
import { Endpoints, verifyDeployment } from "../keeper/endpoints.ts";
import { gasModelOf } from "../keeper/fees.ts";
import type { GasModel } from "../keeper/fees.ts";
import { Keeper } from "../keeper/keeper.ts";
import { LocalSigner } from "../keeper/signer.ts";
import { forkChain } from "../replay/chain.ts";
import type { Chain } from "../replay/chain.ts";
import { hold } from "../replay/path.ts";
import type { PricePath } from "../replay/path.ts";
import { openHouse } from "../replay/replay.ts";
import { accountId } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { Plimsoll } from "../sdk/client.ts";
import { formatAmount } from "../sdk/units.ts";
import { Feeds } from "./feeds.ts";
import { Observer, YARDSTICK } from "./observer.ts";
import type { Sighting } from "./observer.ts";

const BLOCK_TIME = 12; // [s] of the chain
export const BLOCKS_A_MINUTE = 60 / BLOCK_TIME;
const AFTERMATH = 5; // minutes at the last prices, in which running auctions end
const LOCAL_BASE_FEE = 10n ** 9n; // [wei] of a chain that is not forked
const GAS_MONEY = 10n ** 21n; // [wei] that the keeper begins with
const LOOK = 10; // [ms] between two looks at what the keeper does

const clearingHouse = IClearingHouse__factory.createInterface();

export interface DrillOptions {
  readonly path: PricePath;
  /** The live chain to go on from; a chain of its own with a house full of leveraged accounts if left out. */
  readonly fork?: { readonly url: string; readonly book: AddressBook };
  /** Of the keeper, as its operator has set it up. */
  readonly config: Pick<KeeperConfig, "policy" | "bidding" | "gasModel">;
  /** [wad] USD that the keeper begins with. */
  readonly capital: bigint;
  /** [wad] Least profit after gas at which taking counts as profitable. */
  readonly worth: bigint;
  /** Blocks that may pass from profitable to taken. */
  readonly allowLate: number;
  /** [ms] for which a block lasts at most; it ends earlier once the keeper has nothing left to take. */
  readonly pace: number;
}

/** An account that was below MM, what it is called, and what the keeper said about it last. */
export interface DrilledAccount extends Sighting {
  readonly name: string | undefined;
  readonly reason: string | undefined;
}

/** How the keeper itself fared. Amounts are [wad] USD. */
export interface KeeperToll {
  readonly account: AccountId;
  readonly takes: number;
  /** Its shares of penalties, and rewards for rescues. */
  readonly gains: bigint;
  /** All its gas, upkeep and lost races included. */
  readonly gas: bigint;
  readonly racesLost: number;
  /** Of the account that takes; it keeps what it has taken, as prices go on falling. */
  readonly equityBefore: bigint;
  readonly equityAfter: bigint;
}

/** What a drill has found. */
export interface Drill {
  /** What prices did, the aftermath included. */
  readonly path: PricePath;
  readonly book: AddressBook;
  /** Number of the first block and of the last. */
  readonly from: number;
  readonly to: number;
  readonly accounts: readonly DrilledAccount[];
  readonly keeper: KeeperToll;
}

/** Told once a minute of the chain how a drill stands: accounts below MM now, and of these untaken though it pays. */
export type Progress = (minute: number, minutes: number, below: number, waiting: number) => void;

/** A house on a chain of our own, and what its accounts are called. */
interface Stage {
  readonly chain: Chain;
  readonly book: AddressBook;
  readonly names: AccountMap<string>;
  readonly baseFee: bigint;
  readonly gasModel: GasModel;
}

/**
 * Crashes the prices of a house on a chain of its own, or on a fork of a live one, while a keeper works, and finds out what was missed,
 * late, unprofitable or left bad debt.
 * @throws ChainNotStarted, TransactionFailed, WrongChain, NotDeployed, FeedUnusable
 */
export async function drill(options: DrillOptions, progress: Progress): Promise<Drill> {
  const path = hold(options.path, AFTERMATH);
  const stage = options.fork === undefined ? await openLocal(path) : await openFork(options.fork, options.config);
  try {
    return await run(stage, { ...options, path }, progress);
  } finally {
    await stage.chain.close();
  }
}

async function openLocal(path: PricePath): Promise<Stage> {
  const { venue, parties } = await openHouse(path);
  const names = new AccountMap(parties.map(({ id, name }) => [id, name] as const));
  const gasModel = gasModelOf("plain", venue.chain.provider); // it charges for nothing else, whatever the keeper's own chain does
  return { chain: venue.chain, book: venue.book, names, baseFee: LOCAL_BASE_FEE, gasModel };
}

async function openFork(
  { url, book }: NonNullable<DrillOptions["fork"]>,
  config: DrillOptions["config"],
): Promise<Stage> {
  const chain = await forkChain(url, book.chainId);
  try {
    await verifyDeployment(chain.provider, book);
    const block = await chain.provider.getBlock("latest");
    const gasModel = gasModelOf(config.gasModel, chain.provider);
    return { chain, book, names: new AccountMap(), baseFee: block?.baseFeePerGas ?? LOCAL_BASE_FEE, gasModel };
  } catch (error) {
    await chain.close();
    throw error;
  }
}

async function run(stage: Stage, options: DrillOptions, progress: Progress): Promise<Drill> {
  const { chain, book, names, gasModel } = stage;
  const { path, config, capital, worth, allowLate } = options;
  const { policy, bidding } = config;
  const { signingKey, address } = Wallet.createRandom();
  const account = accountId(address);
  await fund(chain, book, new Wallet(signingKey, chain.provider), capital);
  const feeds = await Feeds.takeOver(chain, book);
  const observer = new Observer({
    ...{ provider: chain.provider, addressBook: book, taker: account },
    ...{ ...YARDSTICK, gasModel, gasUnderlying: policy.gasUnderlying, worth, allowLate },
  });
  const endpoints = new Endpoints({ urls: [chain.url], chainId: book.chainId });
  try {
    await observer.see();
    const keeper = await Keeper.create({
      ...{ provider: endpoints, addressBook: book, takerAccount: account, config: policy },
      ...{ signer: new LocalSigner(getBytes(signingKey.privateKey)), logger: pino({ level: "silent" }) },
      gas: { gasModel, bidding },
      webSocketUrl: chain.url.replace(/^http/, "ws"),
    });
    const equityBefore = observer.assess(account).equity;
    const from = observer.head + 1;
    const work = keeper.run();
    await crash({ stage, options, feeds, observer, keeper }, progress).finally(async () => {
      await chain.provider.send("evm_setAutomine", [true]);
      await keeper.stop();
      await work;
    });
    const accounts = observer.sightings().map((sighting) => ({
      ...sighting,
      name: names.get(sighting.id),
      reason: keeper.why(sighting.id).decision?.reason,
    }));
    const toll = { account, equityBefore, ...(await tollOf(chain, observer, keeper, account, address)) };
    return { path, book, from, to: observer.head, accounts, keeper: toll };
  } finally {
    endpoints.destroy();
  }
}

/** Gives a key of the keeper's own money for gas, and its account cash. */
async function fund({ provider }: Chain, book: AddressBook, wallet: Wallet, capital: bigint): Promise<void> {
  const amount = formatAmount(capital, 18);
  const units = capital / 10n ** BigInt(18 - book.cash.decimals);
  const giveGas = () => provider.send("anvil_setBalance", [wallet.address, toQuantity(GAS_MONEY)]);
  await giveGas();
  await provider.send("anvil_dealERC20", [wallet.address, book.cash.token, toQuantity(units)]);
  await (await Plimsoll.connect(book, wallet)).deposit(accountId(wallet.address), book.cash.symbol, amount);
  await giveGas(); // what this has cost is none of the drill's
}

/** What moves while prices fall. */
interface Scene {
  readonly stage: Stage;
  readonly options: DrillOptions;
  readonly feeds: Feeds;
  readonly observer: Observer;
  readonly keeper: Keeper;
}

/** Plays the path, block by block, the prices of each minute at the beginning of its first block. */
async function crash(scene: Scene, progress: Progress): Promise<void> {
  const { stage, options, feeds, observer } = scene;
  const { provider } = stage.chain;
  const minutes = options.path.times.length;
  const start = (await provider.getBlock("latest"))?.timestamp ?? 0;
  const keepBaseFee = () => provider.send("anvil_setNextBlockBaseFeePerGas", [toQuantity(stage.baseFee)]);
  await provider.send("evm_setAutomine", [false]);
  await keepBaseFee();
  for (let i = 0; i < minutes * BLOCKS_A_MINUTE; ++i) {
    if (i % BLOCKS_A_MINUTE === 0) await feeds.answer(options.path, i / BLOCKS_A_MINUTE, stage.baseFee);
    await stage.chain.setTime(start + (i + 1) * BLOCK_TIME);
    await provider.send("evm_mine", []);
    await keepBaseFee(); // before anybody asks what gas costs
    await observer.see();
    await untilAnswered(scene);
    if ((i + 1) % BLOCKS_A_MINUTE === 0) {
      progress((i + 1) / BLOCKS_A_MINUTE, minutes, observer.below, observer.waiting.length);
    }
  }
}

/** Waits until the keeper has seen the block and sent for everything that pays, but not longer than a block lasts. */
async function untilAnswered({ stage, options, observer, keeper }: Scene): Promise<void> {
  const end = performance.now() + options.pace;
  while (performance.now() < end) {
    if (keeper.mirror.head >= observer.head) {
      const sent = await underWay(stage.chain);
      if (observer.waiting.every((id) => sent.has(id))) return;
    }
    await sleep(LOOK);
  }
}

/** Accounts from which somebody is about to take: in the pool of transactions. */
async function underWay({ provider }: Chain): Promise<Set<AccountId>> {
  const { pending } = (await provider.send("txpool_content", [])) as Pool;
  const inputs = Object.values(pending).flatMap((byNonce) => Object.values(byNonce).map(({ input }) => input));
  return new Set(inputs.flatMap(takenBy));
}

/** Accounts that a call takes from, or the calls of a batch. */
function takenBy(data: string): AccountId[] {
  const call = clearingHouse.parseTransaction({ data });
  if (call?.name === "liquidate") return [call.args[0] as AccountId];
  if (call?.name !== "batch") return [];
  return (call.args[0] as readonly { readonly data: string }[]).flatMap((inner) => takenBy(inner.data));
}

interface Pool {
  readonly pending: Readonly<Record<string, Readonly<Record<string, { readonly input: string }>>>>;
}

async function tollOf({ provider }: Chain, observer: Observer, keeper: Keeper, account: AccountId, address: string) {
  const own = observer.sightings().flatMap(({ takes }) => takes.filter(({ taker }) => taker === account));
  const { values } = await keeper.metrics.actions.get();
  const lost = values.filter(({ labels }) => labels.result === "outcompeted");
  return {
    takes: own.length,
    gains: own.reduce((sum, { gain }) => sum + gain, 0n),
    gas: observer.worthOf(GAS_MONEY - (await provider.getBalance(address))),
    racesLost: lost.reduce((sum, { value }) => sum + value, 0),
    equityAfter: observer.assess(account).equity,
  };
}
