import type { FillView } from "../sdk/matcher.ts";
import type { OrderBook } from "./book.ts";
import type { EngineEvent } from "./types.ts";
import { fillView } from "./views.ts";

const KEPT_FILLS = 1000; // per market, and at most twice as many

/** The last fills of each market, and what has become of them. */
export class Tape {
  readonly #markets = new Map<number, FillView[]>();

  constructor(fills: Iterable<FillView> = []) {
    for (const fill of fills) this.put(fill);
  }

  /** The last fills of a market, newest last. */
  recent(market: number, count = KEPT_FILLS): FillView[] {
    return this.#markets.get(market)?.slice(-Math.min(count, KEPT_FILLS)) ?? [];
  }

  /** The last fills of every market. */
  all(): FillView[] {
    return [...this.#markets.keys()].flatMap((market) => this.recent(market));
  }

  /** Adds a fill, or says anew what has become of one. */
  put(fill: FillView): void {
    const kept = this.#markets.get(fill.market) ?? [];
    const known = kept.findLastIndex((other) => other.fill <= fill.fill);
    if (kept[known]?.fill === fill.fill) kept[known] = fill;
    else kept.push(fill);
    if (kept.length > 2 * KEPT_FILLS) kept.splice(0, KEPT_FILLS);
    this.#markets.set(fill.market, kept);
  }

  /** Takes in what has just happened in a book; returns the fills that are new or have changed. */
  record(events: readonly EngineEvent[], book: OrderBook): FillView[] {
    const changed = events.flatMap((event) => this.#afterwards(event, book) ?? []);
    for (const fill of changed) this.put(fill);
    return changed;
  }

  #afterwards(event: EngineEvent, book: OrderBook): FillView | undefined {
    if (event.type === "filled") {
      const fill = book.fills.get(event.fill);
      return fill === undefined ? undefined : fillView(fill);
    }
    if (event.type !== "settled" && event.type !== "failed") return undefined;
    const known = this.#find(event.fill);
    if (known === undefined) return undefined;
    return event.type === "settled"
      ? { ...known, state: "settled", transaction: event.transaction }
      : { ...known, state: "failed", reason: event.reason };
  }

  #find(id: number): FillView | undefined {
    for (const fills of this.#markets.values()) {
      const found = fills.findLast(({ fill }) => fill === id);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
