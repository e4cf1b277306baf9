import { getAddress, isAddress } from "ethers";
import { z } from "zod";

import { formatAmount, parseAmount } from "../src/sdk/units.ts";

/**
 * Parameters of a deployment. What is written is human (`NetworkConfig`: "3%", "0.01", "24h"); what the program uses is in
 * the contracts' own units (`NetworkParameters`). Both come from the schema below. Ids are positions in the lists, so
 * lists may only grow at their ends.
 */

const PPM_DECIMALS = 6;
const PHI_DECIMALS = 9;
const SECONDS = { s: 1n, m: 60n, h: 3600n, d: 86_400n } as const;
/** Chains that anvil and Hardhat run: they begin anew at every start. */
export const LOCAL_CHAINS: readonly number[] = [31337, 1337];
/** Least time that what loosens waits on a real network [s]: a day to see it, and the day that an announced exit takes. */
const LEAST_DELAY = 2n * SECONDS.d;

/** A decimal number in units of 10^-decimals that fits into `bits` bits. */
function decimal(decimals: number, bits: number, what: string) {
  const max = (1n << BigInt(bits)) - 1n;
  return z.string().transform((text, context) => {
    try {
      const value = parseAmount(text, decimals);
      if (value >= 0n && value <= max) return value;
    } catch {
      // reported below, as a number out of range is
    }
    const limit = formatAmount(max, decimals);
    context.addIssue({ code: "custom", message: `write ${what}, from 0 to ${limit}, instead of "${text}"` });
    return z.NEVER;
  });
}

/** A share such as "3%", in parts per million. */
function percent(bits: number) {
  const message = 'write a percentage such as "0.5%"';
  return z
    .string()
    .regex(/%$/, message)
    .transform((text) => text.slice(0, -1))
    .pipe(decimal(PPM_DECIMALS - 2, bits, 'a percentage such as "0.5%"'));
}

const seconds = z
  .string()
  .regex(/^\d+[smhd]$/, 'write a duration such as "3600s", "60m", "24h" or "7d"')
  .transform((text) => BigInt(text.slice(0, -1)) * SECONDS[text.slice(-1) as keyof typeof SECONDS]);

const address = z
  .string()
  .refine((text) => isAddress(text), "write an address: 0x and 40 hexadecimal digits")
  .transform((text) => getAddress(text));

const usd = decimal(0, 48, 'whole USD such as "50000000"');
const dollars = decimal(18, 128, 'USD such as "50"');
const units = decimal(0, 64, 'whole units such as "10000"');
/** Most that may leave the house net of what comes in, decaying e-fold in 24 hours; "0" for no limit. */
const outflowCap = units;
const name = z.string().regex(/^[A-Za-z][A-Za-z0-9]*$/, 'write a name of letters and digits such as "ETH"');

/** A token that is there already, or a mock that anyone can mint. */
const token = z.union(
  [z.strictObject({ address }), z.strictObject({ mockDecimals: z.int().min(0).max(24) })],
  'write either { address: "0x…" } or, on a local chain, { mockDecimals: 18 }',
);

/** A feed that is there already, or Chainlink's mock aggregator with a first answer. */
const aggregator = z.union(
  [z.strictObject({ address }), z.strictObject({ mockPrice: decimal(8, 96, 'a price such as "2000"') })],
  'write either { address: "0x…" } or, on a local chain, { mockPrice: "2000" }',
);

const underlying = z.strictObject({
  name,
  feed: z.strictObject({
    aggregator,
    heartbeat: seconds,
    minPrice: decimal(18, 80, 'a price such as "100"'),
    maxPrice: decimal(18, 80, 'a price such as "100000"'),
  }),
  /** A source of the same price that the feed must agree with. */
  secondSource: z.strictObject({ aggregator, heartbeat: seconds, maxDeviation: percent(24) }).optional(),
  /** How the underlying's volatility raises requirements; not at all if it is left out. */
  regime: z
    .strictObject({
      referenceVolatility: percent(32),
      averaging: seconds,
      maxFactor: decimal(PPM_DECIMALS, 32, 'a factor such as "3"'),
      maxStep: percent(32),
    })
    .optional(),
  risk: z.strictObject({
    shock: percent(24),
    slope: percent(24),
    basis: percent(24),
    basisInitial: percent(24),
    initialFactor: decimal(PHI_DECIMALS, 32, 'a factor such as "1.666666667"'),
    depth: usd,
  }),
});

const market = z.strictObject({
  name: z.string().min(1),
  underlying: name,
  takerFee: percent(16),
  makerFee: percent(16),
  priceBand: percent(24),
  socialisationCap: percent(16),
  minFill: decimal(18, 80, 'a size such as "0.01"'),
  softCap: usd,
  hardCap: usd,
});

const collateral = z.strictObject({
  symbol: name,
  underlying: name,
  token,
  cap: units,
  accountCap: units,
  outflowCap,
  minBalance: decimal(18, 80, 'an amount such as "0.005"'),
  haircut: percent(24),
  haircutInitial: percent(24),
  tracking: percent(24),
  trackingInitial: percent(24),
  /** Of a stablecoin: below `threshold` USD the initial haircut grows by `factor` for every dollar that the price is lower. */
  depeg: z
    .strictObject({
      threshold: decimal(PPM_DECIMALS, 24, 'a price such as "0.99"'),
      factor: decimal(PPM_DECIMALS, 32, 'a factor such as "4"'),
    })
    .optional(),
  /** Of a liquid-staking token: what a unit is worth in units of the underlying, the lower of both feeds. Final. */
  rate: z
    .strictObject({
      aggregator,
      heartbeat: seconds,
      market: z.strictObject({ aggregator, heartbeat: seconds }).optional(),
      maxRate: decimal(18, 80, 'a rate such as "1.5"'),
    })
    .optional(),
});

/** Chainlink Automation: when which upkeep is due. Final: to change it, deploy under another `--deployment-id`. */
const automation = z.strictObject({
  /** Age of a last good price or rate from which it is observed again. */
  observeInterval: seconds,
  /** Time from one accrual of funding to the next. */
  accrueInterval: seconds,
  /** Fees and reserves worth a sweep. */
  sweepThreshold: dollars,
  /** Time from one margin call of an account to the next. */
  callInterval: seconds,
  /** PnL worth a settlement. */
  settleThreshold: dollars,
  /** Receives what flagging earns. */
  beneficiary: address,
});

/** Who governs: deploy/roles.ts says who of them may do what. Three that do not know each other's keys. */
const governance = z
  .strictObject({
    /** Multisig that proposes whatever loosens; everything of its waits. */
    governor: address,
    /** Pauses new risk, and cancels what waits. */
    guardian: address,
    /** Tightens at once, through the RiskSteward. */
    steward: address,
    /** How long what they may do waits: parameters; engine, oracle, feeds and treasury; roles and delays themselves. */
    delays: z.strictObject({ parameters: seconds, wiring: seconds, admin: seconds }),
  })
  .superRefine(({ governor, guardian, steward, delays }, context) => {
    if (new Set([governor, guardian, steward]).size !== 3) {
      const message =
        "name three different addresses as governor, guardian and steward: each is held in check by another one";
      context.addIssue({ code: "custom", message });
    }
    if (delays.parameters > delays.wiring || delays.wiring > delays.admin) {
      const message =
        "let parameters wait no longer than wiring, and wiring no longer than admin, which can change both";
      context.addIssue({ code: "custom", path: ["delays"], message });
    }
  });

const network = z
  .strictObject({
    chainId: z.int().positive(),
    /** Who governs a local chain, at once; the deployer if it and `governance` are left out. */
    admin: address.optional(),
    /** Who governs a real network; needed there. */
    governance: governance.optional(),
    /** Receives the protocol's share of fees; the governor if it is left out, on a local chain without one the deployer. */
    treasury: address.optional(),
    /** On a rollup Chainlink's uptime feed of the sequencer, and how long that must have been up. Final. */
    sequencer: z.strictObject({ feed: address, gracePeriod: seconds }).optional(),
    cash: z.strictObject({ symbol: name, token, outflowCap }),
    /** Interest on borrowed cash, by utilisation and year: up to `lowSlope` at the kink, from there by `highSlope` more. */
    lending: z.strictObject({
      kink: percent(24),
      lowSlope: percent(32),
      highSlope: percent(32),
      reserveFactor: percent(24),
    }),
    underlyings: z.array(underlying).min(1, "list at least one underlying").max(256),
    markets: z.array(market).max(64),
    collaterals: z.array(collateral).max(64),
    /** Contracts for Chainlink Automation; none if it is left out. */
    automation: automation.optional(),
  })
  .superRefine(({ chainId, admin, governance: governed }, context) => {
    if (admin !== undefined && (governed !== undefined || !LOCAL_CHAINS.includes(chainId))) {
      const message = "leave it out and give governance instead: only a local chain may be governed without delays";
      context.addIssue({ code: "custom", path: ["admin"], message });
    }
    if (LOCAL_CHAINS.includes(chainId)) return;
    for (const [name, delay] of Object.entries(governed?.delays ?? {})) {
      if (delay >= LEAST_DELAY) continue;
      const message = `give at least ${LEAST_DELAY / SECONDS.d}d on a real network: who disagrees needs the time to leave`;
      context.addIssue({ code: "custom", path: ["governance", "delays", name], message });
    }
  })
  .superRefine((config, context) => {
    const known = new Set(config.underlyings.map((u) => u.name));
    for (const list of ["markets", "collaterals"] as const) {
      config[list].forEach((entry, i) => {
        if (known.has(entry.underlying)) return;
        const message = `name one of the underlyings (${[...known].join(", ")}) instead of "${entry.underlying}"`;
        context.addIssue({ code: "custom", path: [list, i, "underlying"], message });
      });
    }
  })
  .transform(({ underlyings, markets, collaterals, ...rest }) => {
    const idOf = (n: string) => underlyings.findIndex((u) => u.name === n);
    return {
      ...rest,
      underlyings: underlyings.map((u, id) => ({ id, ...u })),
      markets: markets.map((m, id) => ({ id, ...m, underlying: idOf(m.underlying) })),
      collaterals: collaterals.map((c, id) => ({ id, ...c, underlying: idOf(c.underlying) })),
    };
  });

/** What is written in a file of `deploy/networks/`. */
export type NetworkConfig = z.input<typeof network>;

/** What the program uses: the contracts' own units, ids instead of names. */
export type NetworkParameters = z.output<typeof network>;

/** When automated upkeep is due, as the program uses it. */
export type AutomationParameters = z.output<typeof automation>;

/** Who governs and how long what they do waits [s], as the program uses it. */
export type GovernanceParameters = z.output<typeof governance>;

/** A feed as the program uses it. */
export type Aggregator = z.output<typeof aggregator>;

/** Every feed that the oracle reads, with the name that a mock of it gets. */
export function feedsOf({ underlyings, collaterals }: NetworkParameters): { name: string; aggregator: Aggregator }[] {
  return [
    ...underlyings.flatMap(({ name: n, feed, secondSource: second }) => [
      { name: `${n}_USD`, aggregator: feed.aggregator },
      ...(second === undefined ? [] : [{ name: `${n}_USD_2`, aggregator: second.aggregator }]),
    ]),
    ...collaterals.flatMap(({ symbol, rate }) => [
      ...(rate === undefined ? [] : [{ name: `${symbol}_rate`, aggregator: rate.aggregator }]),
      ...(rate?.market === undefined ? [] : [{ name: `${symbol}_market`, aggregator: rate.market.aggregator }]),
    ]),
  ];
}

/** A network configuration that cannot be used; the message names each field and what to write there. */
export class InvalidNetworkConfig extends Error {
  readonly issues: readonly string[];

  constructor(issues: readonly string[]) {
    super(`the network configuration cannot be used:\n${issues.map((issue) => `  ${issue}`).join("\n")}`);
    this.name = "InvalidNetworkConfig";
    this.issues = issues;
  }
}

/**
 * Validates what was written and converts it to what the program uses.
 * @throws InvalidNetworkConfig
 */
export function resolveNetwork(config: unknown): NetworkParameters {
  const result = network.safeParse(config);
  if (result.success) return result.data;
  throw new InvalidNetworkConfig(result.error.issues.map((i) => `${i.path.map(String).join(".")}: ${i.message}`));
}
