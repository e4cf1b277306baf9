import pino from "pino";

import { Keeper } from "../keeper/keeper.ts";
import type { AccountState, HouseState } from "../risk/types.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { MINUTE } from "./path.ts";
import type { Party, Venue } from "./venue.ts";

/** PnL [wad] that is worth a settlement here: with millions at stake a smaller one is reached every minute. */
const SETTLE_THRESHOLD = 25_000n * 10n ** 18n;

/** Least gain [wad] of a liquidation: gas costs next to nothing here, and the last dollars of an account shall be seen to go too. */
export const MIN_PROFIT = 10n ** 16n;

const EMPTY: AccountState = {
  cash: 0n,
  lentShares: 0n,
  debtShares: 0n,
  positions: new Map(),
  collaterals: new Map(),
};

/** A keeper at work, and what it sees. */
export interface Watch {
  tick(): Promise<void>;
  account(id: AccountId): AccountState;
  house(): HouseState;
}

/** Puts a keeper to work that takes slices into `party`. */
export async function startKeeper({ chain, book }: Venue, party: Party): Promise<Watch> {
  const keeper = await Keeper.create({
    provider: chain.provider,
    signer: party.wallet.connect(chain.provider),
    addressBook: book,
    takerAccount: party.id,
    config: { settleThreshold: SETTLE_THRESHOLD, minProfit: MIN_PROFIT, observeInterval: BigInt(MINUTE) },
    logger: pino({ level: "silent" }),
  });
  return {
    tick: async () => {
      await keeper.tick();
    },
    account: (id) => keeper.mirror.accounts.get(id) ?? EMPTY,
    house: () => keeper.mirror.house,
  };
}
