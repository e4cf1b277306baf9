import { max, PPM } from "../risk/fixed.ts";
import { targetFactor } from "../risk/regime.ts";
import type { RiskParameters } from "../risk/types.ts";
import { YEAR } from "../replay/insolvency/regime.ts";
import type { Regime } from "../replay/insolvency/regime.ts";
import type { Asset } from "../replay/path.ts";
import type { AddressBook, UnderlyingEntry } from "../sdk/addressBook.ts";
import type { Plimsoll } from "../sdk/client.ts";
import { readRisk } from "../sdk/read.ts";
import { backTest } from "./backTest.ts";
import { UnderlyingNotListed } from "./errors.ts";
import { fit, initialMinutes } from "./fit.ts";
import type { Fitted, Present, Terms } from "./fit.ts";
import type { Window } from "./history.ts";
import type { Change, Proposal } from "./proposal.ts";
import { cut, latest } from "./sample.ts";

/** How volatile an underlying was when its candles ended, and is on the chain. */
export interface RegimeNow {
  readonly of: string;
  /** σ at the end of the candles [ppm per square root of a year] */
  readonly volatility: bigint;
  /** μ that this asks for [ppm] under the σ_ref that stands, and under the proposed one */
  readonly present: bigint;
  readonly proposed: bigint;
  /** μ(t) of maintenance margin on the chain [ppm], and where it is going */
  readonly factor: bigint;
  readonly target: bigint;
}

interface Calibrated {
  readonly changes: readonly Change[];
  readonly backTest: Proposal["backTest"];
  readonly regime: RegimeNow;
}

/**
 * Fits parameters of a house to price histories; whatever is not fitted stays as it stands.
 * @throws UnderlyingNotListed, HistoryTooShort
 */
export async function propose(
  house: Plimsoll,
  history: ReadonlyMap<Asset, readonly Window[]>,
  terms: Terms,
): Promise<{ proposal: Proposal; regimes: RegimeNow[] }> {
  const { addressBook: book } = house;
  const risk = await readRisk(house, book, await house.provider.getBlockNumber());
  const calibrated = await Promise.all(
    [...history].map(([asset, windows]) => calibrate(house, risk, asset, windows, terms)),
  );
  const prices = [...history.values()].flat();
  const proposal: Proposal = {
    kind: "parameterProposal",
    ...{ chainId: book.chainId, clearingHouse: book.contracts.clearingHouse, terms },
    prices: prices.map(({ file, digest, from, closes }) => ({ file, digest, from, minutes: closes.length })),
    changes: calibrated.flatMap(({ changes }) => changes),
    backTest: calibrated.flatMap((one) => one.backTest),
  };
  return { proposal, regimes: calibrated.map(({ regime }) => regime) };
}

async function calibrate(
  house: Plimsoll,
  risk: RiskParameters,
  asset: Asset,
  windows: readonly Window[],
  terms: Terms,
): Promise<Calibrated> {
  const { addressBook: book, priceOracle } = house;
  const entry = book.underlyings.find(({ name }) => name === asset);
  const stands = entry === undefined ? undefined : risk.underlyings.get(entry.id);
  if (entry === undefined || stands === undefined) throw new UnderlyingNotListed(asset);
  const [{ referenceVolatility, averaging, maxFactor, maxStep }, { factor, target }] = await Promise.all([
    priceOracle.regimeOf(entry.id),
    priceOracle.volatilityOf(entry.id),
  ]);
  const present: Present = { risk: stands, regime: { referenceVolatility, averaging, maxFactor, maxStep } };
  const sample = cut(windows, averaging, terms.fit, initialMinutes(Math.max(terms.horizon, terms.sale), stands));
  const fitted = fit(sample, present, terms);
  const proposed: Present = { risk: { ...stands, ...fitted.risk }, regime: { ...present.regime, ...fitted.regime } };
  const tested = [
    ["present", { ...present, haircuts: { haircut: leastHaircut(book, entry, risk) } }],
    ["proposed", { ...proposed, haircuts: fitted.haircuts }],
  ] as const;
  const { volatility } = latest(sample);
  return {
    changes: await changesOf(house, entry, fitted, risk),
    backTest: tested.flatMap(([parameters, each]) =>
      backTest(sample, each, terms).map((check) => ({ of: asset, parameters, ...check })),
    ),
    regime: {
      ...{ of: asset, volatility: BigInt(Math.round(volatility * Number(PPM))), factor, target },
      ...{ present: factorAt(volatility, present.regime), proposed: factorAt(volatility, proposed.regime) },
    },
  };
}

/** μ [ppm] that a volatility asks for. */
function factorAt(volatility: number, regime: Regime): bigint {
  const variance = BigInt(Math.round((volatility ** 2 / YEAR) * 1e18)); // [wad per second]
  return targetFactor(variance, regime);
}

/** The smallest haircut of an underlying's collateral: what the house relies on least. */
function leastHaircut({ collaterals }: AddressBook, { id }: UnderlyingEntry, risk: RiskParameters): bigint {
  const haircuts = collaterals
    .filter(({ underlying }) => underlying === id)
    .map((asset) => risk.collaterals.get(asset.id)?.haircut ?? 0n);
  return haircuts.reduce((least, haircut) => (haircut < least ? haircut : least), haircuts[0] ?? 0n);
}

/** What is fitted, as changes of what the house lists; a collateral with a rate keeps its caps, for the candles are not of it. */
async function changesOf(
  { addressBook: book, clearingHouse }: Plimsoll,
  { id, name }: UnderlyingEntry,
  fitted: Fitted,
  risk: RiskParameters,
): Promise<Change[]> {
  const assets = book.collaterals.filter(({ underlying }) => underlying === id);
  const ofAssets = await Promise.all(
    assets.map(async ({ id: asset, symbol }): Promise<Change[]> => {
      const { hasRate } = await clearingHouse.collateral(asset);
      const { tracking = 0n, trackingInitial = 0n } = risk.collaterals.get(asset) ?? {};
      const haircut = max(fitted.haircuts.haircut, tracking);
      const haircutInitial = max(fitted.haircuts.haircutInitial, max(haircut, trackingInitial));
      const values = { haircut, haircutInitial };
      const caps: Change = { kind: "collateral", of: symbol, id: asset, values: fitted.collateral };
      return [{ kind: "haircuts", of: symbol, id: asset, values }, ...(hasRate ? [] : [caps])];
    }),
  );
  return [
    { kind: "regime", of: name, id, values: fitted.regime },
    { kind: "risk", of: name, id, values: fitted.risk },
    ...ofAssets.flat(),
    ...book.markets
      .filter(({ underlying }) => underlying === id)
      .map((market): Change => ({ kind: "market", of: market.name, id: market.id, values: fitted.market })),
  ];
}
