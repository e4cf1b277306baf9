import { Mirror } from "../../keeper/mirror.ts";
import { Watch } from "../../keeper/watch.ts";
import type { Watched } from "../../keeper/watch.ts";
import { EMPTY_ACCOUNT } from "../../keeper/ledger.ts";
import type { LedgerAccount } from "../../keeper/ledger.ts";
import type { HouseState, SliceRule } from "../../risk/types.ts";
import type { AccountId } from "../../sdk/accountId.ts";
import type { LabHouse } from "./house.ts";
import { closeFactorRule, CLOSE_FACTORS } from "./policies.ts";
import type { Policy } from "./scenario.ts";

/** What everybody sees of the house at the last block: every account and every price as it is, exactly. */
export class View {
  readonly mirror: Mirror;
  readonly watch = new Watch();
  readonly #rule: SliceRule | undefined;

  constructor({ chain, book }: LabHouse, policy: Policy) {
    this.mirror = new Mirror(chain.provider, book);
    const closeFactor = CLOSE_FACTORS[policy];
    this.#rule = closeFactor === undefined ? undefined : closeFactorRule(closeFactor);
  }

  /** The house, with the way its engine cuts slices. */
  get house(): HouseState {
    const { house } = this.mirror;
    return this.#rule === undefined ? house : { ...house, risk: { ...house.risk, slice: this.#rule } };
  }

  /** [s] of the last block. */
  get time(): number {
    return Number(this.mirror.house.time);
  }

  /** Those below MM, the worst ratio first. */
  get below(): Watched[] {
    return this.watch.liquidatable;
  }

  account(id: AccountId): LedgerAccount {
    return this.mirror.accounts.get(id) ?? EMPTY_ACCOUNT;
  }

  /** Index price [wad] of a market. */
  priceOf(market: number): bigint {
    const { markets, prices } = this.mirror.house;
    return prices.get(markets.get(market)?.underlying ?? -1)?.price ?? 0n;
  }

  /** Looks at the last block. Answers those whose standing may have changed. */
  async look(): Promise<Watched[]> {
    const { touched } = await this.mirror.sync();
    const changed = touched.map((id): [AccountId, LedgerAccount] => [id, this.account(id)]);
    return [...this.watch.advance(this.mirror.house, changed), ...this.watch.work(Infinity)];
  }
}
