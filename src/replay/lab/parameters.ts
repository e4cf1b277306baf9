import { InvalidNetworkConfig, resolveNetwork } from "../../../deploy/config.ts";
import type { NetworkConfig, NetworkParameters } from "../../../deploy/config.ts";
import local from "../../../deploy/networks/local.ts";
import { max } from "../../risk/fixed.ts";
import type { RiskParameters } from "../../risk/types.ts";
import { formatAmount } from "../../sdk/units.ts";
import { ASSETS } from "../path.ts";
import type { Asset } from "../path.ts";
import type { Answers } from "../venue.ts";
import { ScenarioInvalid } from "./errors.ts";
import type { Scenario } from "./scenario.ts";

const SILENCE = 600; // [s] for which a feed may be late before its price counts as stale
const FEED_DECIMALS = 8;
const REGIME: readonly string[] = ["referenceVolatility", "averaging", "maxFactor", "maxStep"];

/** USD of notional at which the concentration of an asset counts in full. */
export function depthsOf(scenario: Scenario): Readonly<Record<Asset, number>> {
  const { underlyings } = configOf(scenario);
  const depth = (asset: Asset) => Number(underlyings.find(({ name }) => name === asset)?.risk.depth);
  return { ETH: depth("ETH"), BTC: depth("BTC") };
}

/** Taker fee of an asset's market as a share. */
export function feeOf(scenario: Scenario, asset: Asset): number {
  const fee = configOf(scenario).markets.find((market) => market.underlying === asset)?.takerFee ?? "0%";
  return parseFloat(fee) / 100;
}

/**
 * The parameters of the house with `answers` as its first prices.
 * @throws ScenarioInvalid
 */
export function parametersOf(scenario: Scenario, answers: Answers): NetworkParameters {
  const config = configOf(scenario);
  const { heartbeat, delay } = scenario.oracle;
  const underlyings = config.underlyings.map((u) => {
    const price = formatAmount(answers[u.name as Asset], FEED_DECIMALS);
    const feed = { ...u.feed, aggregator: { mockPrice: price }, heartbeat: `${heartbeat + delay + SILENCE}s` };
    return { ...u, feed };
  });
  try {
    return resolveNetwork({ ...config, underlyings });
  } catch (error) {
    if (error instanceof InvalidNetworkConfig) throw new ScenarioInvalid("the scenario's parameters", error.issues);
    throw error;
  }
}

/** What the risk engine of a house with these parameters keeps. */
export function riskOf({ underlyings, collaterals }: NetworkParameters): RiskParameters {
  const largest = (underlying: number, key: "tracking" | "trackingInitial") =>
    collaterals.reduce((most, c) => (c.underlying === underlying ? max(most, c[key]) : most), 0n);
  return {
    underlyings: new Map(
      underlyings.map(({ id, risk }) => [
        id,
        { ...risk, maxTracking: largest(id, "tracking"), maxTrackingInitial: largest(id, "trackingInitial") },
      ]),
    ),
    collaterals: new Map(
      collaterals.map(({ depeg, ...c }) => [
        c.id,
        { ...c, depegThreshold: depeg?.threshold ?? 0n, depegFactor: depeg?.factor ?? 0n },
      ]),
    ),
  };
}

/**
 * The local network as the scenario changes it, without what there are no prices of.
 * @throws ScenarioInvalid
 */
function configOf({ parameters }: Scenario): NetworkConfig {
  const isPriced = (name: string) => ASSETS.some((asset) => asset === name);
  const underlyings = local.underlyings.filter((u) => isPriced(u.name));
  const markets = local.markets.filter((m) => isPriced(m.underlying));
  const collaterals = local.collaterals.filter((c) => isPriced(c.underlying));
  requireKnown(
    "underlyings",
    parameters.underlyings,
    underlyings.map((u) => u.name),
  );
  requireKnown(
    "markets",
    parameters.markets,
    markets.map((m) => m.name),
  );
  requireKnown(
    "collaterals",
    parameters.collaterals,
    collaterals.map((c) => c.symbol),
  );
  return {
    ...local,
    underlyings: underlyings.map((u) => {
      const given = Object.entries(parameters.underlyings[u.name] ?? {});
      const ofRegime = ([name]: [string, unknown]) => REGIME.includes(name);
      const risk = Object.fromEntries(given.filter((entry) => !ofRegime(entry)));
      const regime = Object.fromEntries(given.filter(ofRegime));
      return { ...u, risk: { ...u.risk, ...risk }, regime: { ...u.regime, ...regime } as typeof u.regime };
    }),
    markets: markets.map((m) => ({ ...m, ...parameters.markets[m.name] })),
    collaterals: collaterals.map((c) => ({ ...c, ...parameters.collaterals[c.symbol] })),
  };
}

function requireKnown(list: string, given: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  const wrong = Object.keys(given).filter((name) => !known.includes(name));
  if (wrong.length === 0) return;
  const problems = wrong.map((name) => `parameters.${list}.${name}: name one of ${known.join(", ")}`);
  throw new ScenarioInvalid("the scenario", problems);
}
