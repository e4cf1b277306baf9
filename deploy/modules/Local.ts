import { buildModule } from "@nomicfoundation/ignition-core";

import { feedsOf } from "../config.ts";
import type { NetworkParameters } from "../config.ts";

/** Decimals of Chainlink's USD feeds. */
export const MOCK_FEED_DECIMALS = 8;

/** Mock tokens and mock feeds of a local chain; each result is named for its token's symbol or as `feedsOf` says. */
export function localModule(parameters: NetworkParameters) {
  return buildModule("Local", (m) => {
    const tokens = [parameters.cash, ...parameters.collaterals].flatMap(({ symbol, token }) => {
      if (!("mockDecimals" in token)) return [];
      return [[symbol, m.contract("MockERC20", [symbol, symbol, token.mockDecimals], { id: symbol })] as const];
    });
    const feeds = feedsOf(parameters).flatMap(({ name, aggregator }) => {
      if (!("mockPrice" in aggregator)) return [];
      const args = [MOCK_FEED_DECIMALS, aggregator.mockPrice];
      return [[name, m.contract("MockV3Aggregator", args, { id: name })] as const];
    });
    return Object.fromEntries<(typeof tokens)[number][1] | (typeof feeds)[number][1]>([...tokens, ...feeds]);
  });
}
