import { buildModule } from "@nomicfoundation/ignition-core";

/**
 * A feed that pushers keep up: Chainlink's FluxAggregator, in which every pusher is an oracle and which answers with the median of what
 * at least `minSubmissions` of them submit. It pays nothing, so it needs no LINK. The deployer owns it and may change its oracles.
 */
export default buildModule("PushedFeed", (m) => {
  const NOBODY = "0x0000000000000000000000000000000000000000";
  const oracles = m.getParameter<string[]>("oracles");
  const minSubmissions = m.getParameter("minSubmissions", 1);
  const aggregator = m.contract("FluxAggregator", [
    ...[NOBODY, 0], // LINK and what an oracle is paid
    m.getParameter("timeout", 120), // [s] after which a round that too few have submitted to is given up
    NOBODY, // validator
    m.getParameter<bigint>("minAnswer", 1n),
    m.getParameter<bigint>("maxAnswer", 10n ** 30n),
    m.getParameter("decimals", 8),
    m.getParameter<string>("pair"),
  ]);
  m.call(aggregator, "changeOracles", [[], oracles, oracles, minSubmissions, m.getParameter("maxSubmissions", 1), 0]);
  return { aggregator };
});
