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

/** What a hedger needs. */
export interface HedgerOptions {
  readonly mirror: Pick<Mirror, "accounts" | "house">;
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
    const { accounts, house } = mirror;
    for (const excess of excessesOf(accounts.get(account) ?? EMPTY_ACCOUNT, house, policy.maxInventory)) {
      const { market, size, index } = excess;
      if (venue.quote(market, size, index).traded === 0n) continue;
      dispatcher.beginOther(`hedge:${market}`, { action: "hedge", account, market, size }, () => this.#trade(excess));
    }
  }

  async #trade({ market, size, index }: Excess): Promise<Outcome> {
    try {
      const traded = await this.#options.venue.trade(market, size, index);
      return { result: "done", reason: `${formatWad(traded)} traded` };
    } catch (error) {
      return { result: "failed", reason: shortMessage(error) };
    }
  }
}
