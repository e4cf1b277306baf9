import type { ChainView, OwnerState } from "../../src/matcher/chain.ts";
import { SessionKeys } from "../../src/matcher/keys.ts";
import type { AccountState, HouseState } from "../../src/risk/types.ts";
import { parseWad } from "../../src/sdk/units.ts";
import { TERMS } from "./support.ts";

const PPM = 10n ** 6n;

/** A house with one underlying at 2,000 and two markets on it, with the parameters of the local network. */
export const HOUSE: HouseState = {
  time: 1_700_000_000n,
  risk: {
    underlyings: new Map([
      [
        0,
        {
          ...{ shock: 30_000n, slope: 20_000n, basis: 10_000n, basisInitial: 30_000n, maxTracking: 0n },
          ...{ maxTrackingInitial: 0n, initialFactor: 1_666_666_667n, depth: 50_000_000n },
        },
      ],
    ]),
    collaterals: new Map(),
  },
  markets: new Map(
    TERMS.map(({ market, priceBand }) => [
      market,
      {
        ...{ underlying: 0, funding: 0n, price: parseWad("2000"), time: 1_700_000_000n, premium: 0n, lastPremium: 0n },
        ...{ longIndex: 0n, shortIndex: 0n, pool: 0n, flaggedDeficit: 0n, badDebt: 0n, openInterest: 0n, priceBand },
        ...{ softCap: 200_000_000n, hardCap: 400_000_000n },
      },
    ]),
  ),
  collaterals: new Map(),
  prices: new Map([[0, { price: parseWad("2000"), initialFactor: PPM, maintenanceFactor: PPM }]]),
  lastGood: new Map(),
  lending: {
    ...{ lent: 0n, borrowed: 0n, lentShares: 0n, debtShares: 0n, reserves: 0n, rate: 0n, time: 1_700_000_000n },
    ...{
      flaggedDeficit: 0n,
      params: { kink: 800_000n, lowSlope: 40_000n, highSlope: 750_000n, reserveFactor: 100_000n },
    },
  },
};

/** A chain on which every account has as much cash. */
export class FakeChain implements ChainView {
  house = HOUSE;
  terms = new Map(TERMS.map((terms) => [terms.market, terms]));
  owners = new Map<string, OwnerState>();
  keys = new SessionKeys();
  filledOf = new Map<string, bigint>();
  accounts = new Map<bigint, AccountState>();
  wallets = new Set<string>();
  cash: bigint;

  constructor(cash = "1000000") {
    this.cash = parseWad(cash);
  }

  feeOf(): bigint {
    return 500n;
  }

  account(id: bigint): AccountState {
    const empty = { lentShares: 0n, debtShares: 0n, positions: new Map(), collaterals: new Map() };
    return this.accounts.get(id) ?? { cash: this.cash, ...empty };
  }

  owner(address: string): OwnerState {
    return this.owners.get(address) ?? { epoch: 0n, lowestNonce: 0n, deadMan: 0, lockedDown: false };
  }

  filled(account: bigint, nonce: bigint): bigint {
    return this.filledOf.get(`${account}:${nonce}`) ?? 0n;
  }

  acceptsSignature(owner: string): Promise<boolean> {
    return Promise.resolve(this.wallets.has(owner));
  }
}
