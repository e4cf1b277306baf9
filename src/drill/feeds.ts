import { toBeHex, toQuantity } from "ethers";

import { MockV3Aggregator__factory, PriceOracle__factory } from "../../types/index.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import type { Chain } from "../replay/chain.ts";
import { ASSETS } from "../replay/path.ts";
import type { Asset, PricePath } from "../replay/path.ts";
import { FeedUnusable } from "./errors.ts";

const GAS = 1_000_000n; // of a new answer; a new round takes less than a fifth
const KNOWN_ROUNDS = 100n; // rounds before the latest that volatility may still be measured over
const WALLET = "0x00000000000000000000000000000000000d4177"; // sends the answers
const ETHER = 10n ** 24n; // [wei] that it has

const abi = MockV3Aggregator__factory.createInterface();

/** A feed of the house, now one of ours. */
interface Feed {
  readonly address: string;
  /** As it was taken over. */
  readonly answer: bigint;
  /** Whose prices it follows; `undefined`: it stays. */
  readonly asset: Asset | undefined;
}

/**
 * All feeds of a house on a chain of our own: at the address of each stands Chainlink's `MockV3Aggregator`, with the decimals, the
 * answer and the rounds of what was there, so that any Chainlink-compatible feed can be made to say what a path says.
 */
export class Feeds {
  readonly #chain: Chain;
  readonly #feeds: readonly Feed[];

  private constructor(chain: Chain, feeds: readonly Feed[]) {
    this.#chain = chain;
    this.#feeds = feeds;
  }

  /**
   * Puts Chainlink's mock in the place of every feed: of the prices and their second sources, and of rates between tokens and their
   * assets.
   * @throws FeedUnusable
   */
  static async takeOver(chain: Chain, book: AddressBook): Promise<Feeds> {
    await chain.provider.send("anvil_impersonateAccount", [WALLET]);
    await chain.provider.send("anvil_setBalance", [WALLET, toQuantity(ETHER)]);
    const code = await mockCode(chain);
    const found = new Map<string, Feed>();
    for (const { address, asset, observed } of await feedsOf(chain, book)) {
      if (!found.has(address))
        found.set(address, { address, asset, answer: await replace(chain, address, code, observed) });
    }
    return new Feeds(chain, [...found.values()]);
  }

  /** Has every feed answer in the next block: what it was taken over with, moved as its asset has moved along the path. `baseFee` [wei] */
  async answer({ prices }: PricePath, minute: number, baseFee: bigint): Promise<void> {
    const { provider } = this.#chain;
    const first = await provider.getTransactionCount(WALLET, "latest");
    for (const [i, { address, answer, asset }] of this.#feeds.entries()) {
      const [from, to] = asset === undefined ? [1n, 1n] : [prices[asset][0] ?? 1n, prices[asset][minute] ?? 1n];
      const data = abi.encodeFunctionData("updateAnswer", [(answer * to) / from]);
      await send(this.#chain, address, data, { nonce: toQuantity(first + i), ...feesOf(baseFee) });
    }
  }
}

/** Addresses of feeds, whose prices they follow, and the round up to which the oracle has measured volatility. */
async function feedsOf({ provider }: Chain, book: AddressBook) {
  const oracle = PriceOracle__factory.connect(book.contracts.priceOracle, provider);
  const traded = new Set(book.markets.map(({ underlying }) => underlying));
  const found: { address: string; asset: Asset | undefined; observed: bigint | undefined }[] = [];
  for (const { id, name } of book.underlyings) {
    const asset = traded.has(id) ? (ASSETS.find((known) => known === name) ?? ASSETS[0]) : undefined;
    const [{ aggregator }, second, { round }] = await Promise.all([
      oracle.feedOf(id),
      oracle.secondSourceOf(id),
      oracle.volatilityOf(id),
    ]);
    found.push(
      { address: aggregator, asset, observed: round },
      { address: second.aggregator, asset, observed: undefined },
    );
  }
  for (const { id } of book.collaterals) {
    const { rate, market } = await oracle.rateFeedsOf(id);
    for (const address of [rate, market]) found.push({ address, asset: undefined, observed: undefined });
  }
  return found.filter(({ address }) => BigInt(address) !== 0n);
}

/** Code of Chainlink's mock: its decimals and answers are in storage, so it is the same for all. */
async function mockCode({ provider }: Chain): Promise<string> {
  const { data } = await new MockV3Aggregator__factory().getDeployTransaction(0, 0);
  return provider.call({ data });
}

/** Puts the mock where a feed stands and tells it the latest rounds; returns the latest answer. */
async function replace(chain: Chain, address: string, code: string, observed: bigint | undefined): Promise<bigint> {
  const { provider } = chain;
  const feed = MockV3Aggregator__factory.connect(address, provider);
  const [decimals, latest] = await Promise.all([feed.decimals(), feed.latestRoundData()]).catch(() => {
    throw new FeedUnusable(address, "it does not answer");
  });
  const { roundId, answer } = latest;
  if (answer <= 0n) throw new FeedUnusable(address, `its answer is ${answer}`);
  const first = observed === undefined || observed + KNOWN_ROUNDS < roundId ? roundId : observed;
  const rounds = [];
  for (let id = first; id < roundId; ++id) rounds.push(await feed.getRoundData(id).catch(() => undefined));
  await provider.send("anvil_setCode", [address, code]);
  await provider.send("anvil_setStorageAt", [address, toBeHex(0, 32), toBeHex(decimals, 32)]);
  for (const round of [...rounds, latest]) {
    if (round === undefined || round.updatedAt === 0n) continue;
    const { roundId: id, updatedAt, startedAt } = round;
    const data = abi.encodeFunctionData("updateRoundData", [id, round.answer, updatedAt, startedAt]);
    await chain.send("a round of a feed", WALLET, address, data);
  }
  return answer;
}

async function send({ provider }: Chain, to: string, data: string, terms: Readonly<Record<string, string>>) {
  await provider.send("eth_sendTransaction", [{ from: WALLET, to, data, gas: toQuantity(GAS), ...terms }]);
}

/** As much again as the base fee: prices go before most, and what the node advises others to pay stays what it is on a busy day. */
function feesOf(baseFee: bigint) {
  return { maxFeePerGas: toQuantity(10n * baseFee), maxPriorityFeePerGas: toQuantity(baseFee) };
}
