import type { Asset } from "../path.ts";
import type { Scenario } from "./scenario.ts";

/** What a feed has answered, and what is on its way. Prices are in a feed's 8 decimals. */
interface FeedState {
  answer: bigint;
  /** [s] of the answer */
  time: number;
  sent: { readonly answer: bigint; readonly lands: number } | undefined;
}

/** The feeds as they stand: all that an `Oracle` remembers. */
export type OracleState = Record<Asset, FeedState>;

/** An answer for a block. */
export interface Answer {
  readonly asset: Asset;
  readonly answer: bigint;
}

const PPM = 1e6;

/** Feeds that first answered `prices` at `time` [s]. */
export function firstAnswers(prices: Readonly<Record<Asset, bigint>>, time: number): OracleState {
  const feed = (asset: Asset): FeedState => ({ answer: prices[asset], time, sent: undefined });
  return { ETH: feed("ETH"), BTC: feed("BTC") };
}

/** When feeds answer, as Chainlink's do: at a deviation from the last answer or after a heartbeat, some seconds late. */
export class Oracle {
  readonly #terms: Scenario["oracle"];
  readonly #state: OracleState;
  readonly #threshold: bigint; // [ppm]

  constructor(terms: Scenario["oracle"], state: OracleState) {
    this.#terms = terms;
    this.#state = state;
    this.#threshold = BigInt(Math.round(terms.deviation * PPM));
  }

  /** Looks at a price; answers what lands in a block at `time` [s], `undefined` if nothing does. One answer is on its way at a time. */
  see(asset: Asset, price: bigint, time: number): Answer | undefined {
    const feed = this.#state[asset];
    if (feed.sent === undefined && this.#isDue(feed, price, time)) {
      feed.sent = { answer: price, lands: time + this.#terms.delay };
    }
    if (feed.sent === undefined || feed.sent.lands > time) return undefined;
    const { answer } = feed.sent;
    [feed.answer, feed.time, feed.sent] = [answer, time, undefined];
    return { asset, answer };
  }

  /** What a feed says now. */
  answerOf(asset: Asset): bigint {
    return this.#state[asset].answer;
  }

  #isDue({ answer, time: last }: FeedState, price: bigint, time: number): boolean {
    const distance = price > answer ? price - answer : answer - price;
    return distance * BigInt(PPM) >= answer * this.#threshold || time - last >= this.#terms.heartbeat;
  }
}
