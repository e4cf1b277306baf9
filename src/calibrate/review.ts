import { Mirror } from "../keeper/mirror.ts";
import type { RiskParameters } from "../risk/types.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
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
import { ProposalForAnotherHouse, ProposalMisnamed, UnderlyingNotListed } from "./errors.ts";
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
 * @throws ProposalForAnotherHouse, ProposalMisnamed, ParameterOutOfBounds, UnderlyingNotListed
 */
export async function review(house: Plimsoll, { chainId, clearingHouse, changes }: Proposal): Promise<Review> {
  const { addressBook: book, provider } = house;
  const named = (chain: number, at: string) => `the clearinghouse ${at} on chain ${chain}`;
  const [meant, here] = [named(chainId, clearingHouse), named(book.chainId, book.contracts.clearingHouse)];
  if (meant !== here) throw new ProposalForAnotherHouse(meant, here);
  expectNames(changes, book);
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

/** @throws UnderlyingNotListed, ProposalMisnamed for a change that says another name than what it changes has */
function expectNames(changes: readonly Change[], { underlyings, collaterals, markets }: AddressBook): void {
  const names = {
    underlying: new Map(underlyings.map(({ id, name }) => [id, name])),
    collateral: new Map(collaterals.map(({ id, symbol }) => [id, symbol])),
    market: new Map(markets.map(({ id, name }) => [id, name])),
  };
  const listed = {
    ...{ risk: names.underlying, regime: names.underlying, market: names.market },
    ...{ haircuts: names.collateral, collateral: names.collateral },
  };
  for (const { kind, of, id } of changes) {
    const name = listed[kind].get(id);
    if (name === undefined) throw new UnderlyingNotListed(of);
    if (name !== of) throw new ProposalMisnamed(kind, of, name);
  }
}

/** What the oracle knows of each underlying, with the regime that would be. */
async function observe(
  { addressBook, priceOracle }: Plimsoll,
  changes: readonly Change[],
): Promise<ReadonlyMap<number, Observed>> {
  const observed = new Map<number, Observed>();
  for (const { id } of addressBook.underlyings) {
    const { referenceVolatility, averaging, maxFactor, maxStep } = await priceOracle.regimeOf(id);
    const { variance, target } = await priceOracle.volatilityOf(id);
    const proposed = changes.findLast((change) => change.kind === "regime" && change.id === id)?.values;
    const regime = { referenceVolatility, averaging, maxFactor, maxStep, ...proposed };
    observed.set(id, { variance, target, regime });
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
