import type { Logger } from "pino";

import type { AccountId } from "../sdk/accountId.ts";
import { formatWad } from "../sdk/units.ts";
import type { KeeperPolicy } from "./config.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { excessesOf } from "./hedge.ts";
import type { Excess, HedgeVenue } from "./hedge.ts";
import type { Outcome } from "./lane.ts";
import { EMPTY_ACCOUNT } from "./ledger.ts";
import type { Mirror } from "./mirror.ts";
import { shortMessage } from "./sender.ts";

const SETTLING = 12; // blocks within which the mirror reads of a trade

/** What a hedger needs. */
export interface HedgerOptions {
  readonly mirror: Pick<Mirror, "accounts" | "head" | "house">;
  readonly dispatcher: Dispatcher;
  readonly venue: HedgeVenue;
  /** Whose positions are hedged. */
  readonly takerAccount: AccountId;
  readonly policy: Pick<KeeperPolicy, "maxInventory">;
  readonly logger: Logger;
}

/** Keeps the taker's positions within its limit. */
export class Hedger {
  readonly #options: HedgerOptions;
  /** By market what the taker held when some of it was traded, and up to which block the mirror may not know of that. */
  readonly #traded = new Map<number, { readonly held: bigint; readonly until: number }>();

  constructor(options: HedgerOptions) {
    this.#options = options;
  }

  /** Sells, or buys back, what the taker holds beyond its limit. */
  hedge(): void {
    const { mirror, dispatcher, venue, takerAccount: account, policy, logger } = this.#options;
    if (policy.maxInventory === undefined) return;
    void venue.refresh().catch((error: unknown) => {
      logger.warn({ reason: shortMessage(error) }, "the venue for hedges does not answer");
    });
    const { accounts, house, head } = mirror;
    const taker = accounts.get(account) ?? EMPTY_ACCOUNT;
    for (const excess of excessesOf(taker, house, policy.maxInventory)) {
      const { market, size, index } = excess;
      const held = taker.positions.get(market)?.size ?? 0n;
      const last = this.#traded.get(market);
      const isOnItsWay = last?.held === held && head < last.until;
      if (isOnItsWay || venue.quote(market, size, index).traded === 0n) continue;
      const act = { action: "hedge", account, market, size } as const;
      dispatcher.beginOther(`hedge:${market}`, act, () => this.#trade(excess, held));
    }
  }

  async #trade({ market, size, index }: Excess, held: bigint): Promise<Outcome> {
    const { mirror, venue } = this.#options;
    try {
      const traded = await venue.trade(market, size, index);
      if (traded !== 0n) this.#traded.set(market, { held, until: mirror.head + SETTLING });
      return { result: "done", reason: `${formatWad(traded)} traded` };
    } catch (error) {
      return { result: "failed", reason: shortMessage(error) };
    }
  }
}
