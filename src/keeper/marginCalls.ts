import type { Logger } from "pino";

import type { Assessment } from "../risk/types.ts";
import { hexOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { flagCall } from "../sdk/calls.ts";
import type { Explanation } from "../sdk/explain.ts";
import { formatWad } from "../sdk/units.ts";
import type { KeeperPolicy } from "./config.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Cure } from "./ledger.ts";
import type { Metrics } from "./metrics.ts";
import type { Mirror } from "./mirror.ts";
import type { NoticeDesk } from "./notices.ts";
import type { Watch } from "./watch.ts";

/** What margin calls need. */
export interface MarginCallsOptions {
  readonly mirror: Pick<Mirror, "accounts" | "auctions">;
  readonly watch: Pick<Watch, "get">;
  readonly dispatcher: Dispatcher;
  readonly addressBook: AddressBook;
  readonly policy: Pick<KeeperPolicy, "callThreshold">;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Tells owners of them. */
  readonly desk: NoticeDesk | undefined;
  /** What owners are told of an account. */
  readonly why: (id: AccountId) => Explanation;
}

/** Attends to accounts above MM: calls those below IM for margin, once per call whoever makes it, and ends the auctions of the others. */
export class MarginCalls {
  readonly #options: MarginCallsOptions;
  /** What had cured the last call of an account when it was last seen healthy: another one is of a call since then. */
  readonly #curedBefore = new AccountMap<Cure>();
  /** Accounts that were looked at and may have to be called, or their auctions ended. */
  #looked = new AccountMap<true>();

  constructor(options: MarginCallsOptions) {
    this.#options = options;
  }

  /** Takes note of an account that was looked at. */
  note(id: AccountId): void {
    this.#looked.set(id, true);
  }

  /** Attends to all that were looked at, and lets the desk know of them. */
  attend(): void {
    const { watch, desk, why } = this.#options;
    const looked = this.#looked;
    this.#looked = new AccountMap();
    for (const id of looked.keys()) {
      const { state, assessment, degraded } = watch.get(id);
      if (assessment === undefined || degraded) continue;
      desk?.see(id, assessment, () => why(id));
      if (state === "healthy") this.#recovered(id, assessment);
      else if (state === "marginCall") this.#call(id, assessment);
    }
  }

  #recovered(id: AccountId, assessment: Assessment): void {
    const { mirror, dispatcher, addressBook } = this.#options;
    const cure = mirror.accounts.get(id)?.cure;
    if (cure === undefined) this.#curedBefore.delete(id);
    else this.#curedBefore.set(id, cure);
    if (mirror.auctions.has(id)) {
      dispatcher.begin({ action: "clear", account: id, assessment }, flagCall(addressBook, id));
    }
  }

  #call(id: AccountId, assessment: Assessment): void {
    const { dispatcher, addressBook, policy, metrics, logger } = this.#options;
    if (this.#isCalled(id) || assessment.initialMargin < policy.callThreshold) return;
    dispatcher.begin({ action: "call", account: id, assessment }, flagCall(addressBook, id), ({ result }) => {
      if (result !== "done") {
        this.note(id);
        return;
      }
      metrics.marginCalls.inc();
      logger.warn(
        { account: hexOf(id), lacks: formatWad(assessment.initialMargin - assessment.equity) },
        "margin call",
      );
    });
  }

  /** Whether the account was called since it was last seen healthy: every call puts a cure of its own into the ledger. */
  #isCalled(id: AccountId): boolean {
    return this.#options.mirror.accounts.get(id)?.cure !== this.#curedBefore.get(id);
  }
}
