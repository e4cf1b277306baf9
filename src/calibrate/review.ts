import { Mirror } from "../keeper/mirror.ts";
import type { RiskParameters } from "../risk/types.ts";
import type { Plimsoll } from "../sdk/client.ts";
import { affectedAccounts, changedHouse, changedRisk } from "./affected.ts";
import type { AffectedAccount, Observed } from "./affected.ts";
import {
  expectCollateralCaps,
  expectCollateralRisk,
  expectOpenInterestCaps,
  expectRegime,
  expectUnderlyingRisk,
} from "./bounds.ts";
import { ProposalForAnotherHouse, UnderlyingNotListed } from "./errors.ts";
import type { Change, Proposal } from "./proposal.ts";

/** What a proposal would do to a house as it stands at a block. */
export interface Review {
  readonly block: number;
  /** accounts that were looked at */
  readonly accounts: number;
  readonly affected: readonly AffectedAccount[];
}

/**
 * Holds a proposal against a house: whether it is for it, whether the contracts would take every change, and whom it would call for
 * margin or make liquidatable.
 * @throws ProposalForAnotherHouse, ParameterOutOfBounds, UnderlyingNotListed
 */
export async function review(house: Plimsoll, { chainId, clearingHouse, changes }: Proposal): Promise<Review> {
  const { addressBook: book, provider } = house;
  const named = (chain: number, at: string) => `the clearinghouse ${at} on chain ${chain}`;
  const [meant, here] = [named(chainId, clearingHouse), named(book.chainId, book.contracts.clearingHouse)];
  if (meant !== here) throw new ProposalForAnotherHouse(meant, here);
  const observed = await observe(house, changes);
  const mirror = new Mirror(provider, book);
  await mirror.sync();
  expectBounds(changes, changedRisk(mirror.house.risk, changes), observed);
  const changed = changedHouse(mirror.house, changes, observed);
  return {
    ...{ block: mirror.head, accounts: mirror.accounts.size },
    affected: affectedAccounts(mirror.accounts, mirror.house, changed),
  };
}

/** What the oracle knows of each underlying whose regime changes. */
async function observe({ priceOracle }: Plimsoll, changes: readonly Change[]): Promise<ReadonlyMap<number, Observed>> {
  const observed = new Map<number, Observed>();
  for (const { kind, id, values } of changes) {
    if (kind !== "regime") continue;
    const { averaging, maxFactor, maxStep } = await priceOracle.regimeOf(id);
    const { variance } = await priceOracle.volatilityOf(id);
    observed.set(id, { variance, regime: { ...values, averaging, maxFactor, maxStep } });
  }
  return observed;
}

/** @throws ParameterOutOfBounds for the first change that the contracts would refuse, UnderlyingNotListed */
function expectBounds(
  changes: readonly Change[],
  after: RiskParameters,
  observed: ReadonlyMap<number, Observed>,
): void {
  for (const { kind, of, id, values } of changes) {
    const [underlying, collateral, regime] = [after.underlyings.get(id), after.collaterals.get(id), observed.get(id)];
    if (kind === "risk" && underlying !== undefined) expectUnderlyingRisk(of, underlying);
    else if (kind === "haircuts" && collateral !== undefined) expectCollateralRisk(of, collateral);
    else if (kind === "regime" && regime !== undefined) expectRegime(of, regime.regime);
    else if (kind === "market") expectOpenInterestCaps(of, values.softCap, values.hardCap);
    else if (kind === "collateral") expectCollateralCaps(of, values.accountCap, values.cap);
    else throw new UnderlyingNotListed(of);
  }
}
