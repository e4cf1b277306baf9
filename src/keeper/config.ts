import { getAddress, isAddress } from "ethers";
import { z } from "zod";

import { InvalidAmount, parseWad } from "../sdk/units.ts";
import { TELEGRAM } from "./channels.ts";
import type { Transports } from "./channels.ts";
import type { Relay } from "./endpoints.ts";
import type { NoticePolicy } from "./notices.ts";
import type { ServerPolicy } from "./server.ts";
import type { SignerSettings } from "./signer.ts";

/** When the keeper acts. Amounts are [wad] USD, times [s]. */
export interface KeeperPolicy {
  /** Least expected gain of a liquidation after gas. */
  readonly minProfit: bigint;
  /** Most cash the taker pays for one slice; no limit if left out. */
  readonly maxSpend?: bigint;
  /** Shortest time between two flags of one account; a clock advances by at most 60 s per flag. */
  readonly flagInterval: bigint;
  /** PnL that is worth a settlement. */
  readonly settleThreshold: bigint;
  /** IM from which an account is worth a margin call. */
  readonly callThreshold: bigint;
  /** Fees, or reserves of the lending pool, that are worth a sweep. */
  readonly sweepThreshold: bigint;
  /** Age of a market's last accrual at which its funding is brought up to now. */
  readonly accrueInterval: bigint;
  /** Age of a last good price at which the feed is observed, for the price itself and for the volatility of its rounds. */
  readonly observeInterval: bigint;
  /** Blocks for which an account must have been below MM before this keeper acts: more than none for one that stands by. */
  readonly backupBlocks: number;
  /** Blocks, its own included, after which a block is final if the node does not say so itself. */
  readonly confirmations: number;
  /** [wei] Most that gas may cost in any 60 minutes; no limit if left out. */
  readonly hourlyLimit?: bigint;
  /** [wei] Most that gas may cost in any 24 hours; no limit if left out. */
  readonly dailyLimit?: bigint;
  /** Symbol of the underlying that gas is paid in. */
  readonly gasUnderlying: string;
  /** [ms] Between two looks at the chain while no block is announced. */
  readonly pollInterval: number;
  /** [ms] How long to wait for a transaction to be mined. */
  readonly confirmTimeout: number;
  /** Blocks without a transaction after which it is replaced by one that pays more. */
  readonly replaceAfter: number;
  /** [wei] Most that a unit of gas may cost. */
  readonly maxGasPrice: bigint;
}

/** Everything `npm run keeper` is started with. */
export interface KeeperConfig {
  /** Nodes, the most trusted first. */
  readonly rpcUrls: readonly string[];
  /** Node that announces blocks; they are polled for if left out. */
  readonly webSocketUrl?: string;
  /** Where transactions go if not to the public nodes. */
  readonly relay?: Relay;
  readonly addressBook: string;
  readonly signer: SignerSettings;
  /** Owner of the account that takes over slices, an AccessManager that allows the signer to; the signer if left out. */
  readonly takerOwner?: string;
  /** Serial number of the account that takes over slices. */
  readonly takerIndex: bigint;
  /** File, or address of PostgreSQL, that keeps what must outlive the keeper. */
  readonly database: string;
  /** [ms] for which work belongs to one of several keepers that share the database; they do not share it if left out. */
  readonly leaseLifetime?: number;
  readonly gasModel: "plain" | "opStack";
  /** Of `/metrics`, `/health`, `/ready` and `/why`; there is none if left out. */
  readonly server?: ServerPolicy;
  /** File that says whom to tell of margin calls, and what to tell them with. */
  readonly subscriptions?: string;
  readonly transports: Transports;
  readonly notices: NoticePolicy;
  readonly logLevel: string;
  readonly policy: KeeperPolicy;
}

/** A configuration with mistakes; the message names each and says what to put there. It never contains the key. */
export class InvalidKeeperConfig extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the keeper cannot start:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.name = "InvalidKeeperConfig";
    this.problems = problems;
  }
}

const usd = (byDefault: string) => z.string().default(byDefault).transform(toWad);
const seconds = (byDefault: number) =>
  z.coerce.number("give seconds").int().min(1).default(byDefault).transform(BigInt);
const milliseconds = (byDefault: number) => z.coerce.number("give milliseconds").int().min(10).default(byDefault);

const secret = z.string().min(1).optional(); // looked at by who uses it: no message may quote it

const schema = z.object({
  RPC_URL: z
    .string()
    .default("http://127.0.0.1:8545")
    .transform((text) => text.split(","))
    .pipe(
      z.array(z.url({ protocol: /^https?$/, error: "give the http(s) address of a node, or several with commas" })),
    ),
  WS_URL: z.url({ protocol: /^wss?$/, error: "give the ws(s) address of a node" }).optional(),
  RELAY_URL: z.url({ protocol: /^https?$/, error: "give the http(s) address of a relay" }).optional(),
  RELAY_METHOD: z.enum(["eth_sendRawTransaction", "eth_sendPrivateTransaction"]).default("eth_sendRawTransaction"),
  ADDRESS_BOOK: z.string().min(1, "give the file a deployment wrote").default("deploy/addresses/31337.json"),
  PRIVATE_KEY: secret,
  KEYSTORE: secret,
  KEYSTORE_PASSWORD: secret,
  KEYSTORE_PASSWORD_FILE: secret,
  SIGNER_URL: secret,
  SIGNER_ADDRESS: secret,
  DATABASE: z.string().min(1, "give a file or postgres://…").default("keeper.sqlite"),
  LEASE_LIFETIME: z.coerce.number("give milliseconds").int().min(1000).optional(),
  GAS_MODEL: z.enum(["plain", "opStack"]).default("plain"),
  TAKER_OWNER: z
    .string()
    .refine((text) => isAddress(text), "give the address of an AccessManager")
    .transform((text) => getAddress(text))
    .optional(),
  TAKER_INDEX: z.string().regex(/^\d+$/, "give the serial number of an account, 0 for the main one").default("0"),
  MIN_PROFIT: usd("1"),
  MAX_SPEND: z.string().transform(toWad).optional(),
  FLAG_INTERVAL: seconds(20),
  SETTLE_THRESHOLD: usd("1000"),
  CALL_THRESHOLD: usd("100"),
  SWEEP_THRESHOLD: usd("100"),
  ACCRUE_INTERVAL: seconds(3600),
  OBSERVE_INTERVAL: seconds(600),
  BACKUP_BLOCKS: z.coerce.number("give blocks").int().min(0).default(0),
  CONFIRMATIONS: z.coerce.number("give blocks").int().min(1).default(12),
  HOURLY_LIMIT: z.string().transform(toWad).optional(),
  DAILY_LIMIT: z.string().transform(toWad).optional(),
  GAS_UNDERLYING: z.string().min(1).default("ETH"),
  POLL_INTERVAL: milliseconds(1000),
  CONFIRM_TIMEOUT: milliseconds(60_000),
  REPLACE_AFTER: z.coerce.number("give blocks").int().min(1).default(3),
  MAX_GAS_PRICE: z.coerce.number("give gwei").positive().max(1_000_000).default(500).transform(gweiToWei),
  PORT: z.coerce.number("give a port").int().min(1).max(65_535).optional(),
  HOST: z.string().min(1).default("127.0.0.1"),
  MAX_HEAD_AGE: z.coerce.number("give seconds").positive().default(60),
  MIN_GAS_RUNWAY: z.coerce.number("give seconds").positive().default(86_400),
  SUBSCRIPTIONS: z.string().min(1).optional(),
  NOTICE_GROWTH: z.coerce.number("give a share such as 0.25").min(0.01).max(100).default(0.25),
  TELEGRAM_TOKEN: secret,
  SMTP_URL: secret,
  SMTP_FROM: z.email("give the sender's e-mail address").optional(),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "silent"]).default("info"),
});

/** The names under which a keeper is configured. */
export const KEEPER_SETTINGS = Object.keys(schema.shape) as readonly (keyof typeof schema.shape)[];

/** Those that are read from the environment only: a command line can be seen by others. */
export const SECRET_SETTINGS = ["PRIVATE_KEY", "KEYSTORE_PASSWORD", "TELEGRAM_TOKEN", "SMTP_URL"] as const;

/** The policy of a keeper that nothing was said about. */
export const DEFAULT_POLICY: KeeperPolicy = resolve({}).policy;

/**
 * Reads a configuration from settings by name, as the environment holds them; empty ones count as not given.
 * @throws InvalidKeeperConfig
 */
export function parseKeeperConfig(settings: Readonly<Record<string, string | undefined>>): KeeperConfig {
  return resolve(Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== "")));
}

function resolve(settings: Readonly<Record<string, string | undefined>>): KeeperConfig {
  const result = schema.safeParse(settings);
  if (!result.success) {
    throw new InvalidKeeperConfig(result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`));
  }
  const s = result.data;
  return {
    rpcUrls: s.RPC_URL,
    ...(s.WS_URL !== undefined && { webSocketUrl: s.WS_URL }),
    ...(s.RELAY_URL !== undefined && { relay: { url: s.RELAY_URL, method: s.RELAY_METHOD } }),
    addressBook: s.ADDRESS_BOOK,
    signer: {
      ...{ PRIVATE_KEY: s.PRIVATE_KEY, KEYSTORE: s.KEYSTORE, KEYSTORE_PASSWORD: s.KEYSTORE_PASSWORD },
      ...{ KEYSTORE_PASSWORD_FILE: s.KEYSTORE_PASSWORD_FILE },
      ...{ SIGNER_URL: s.SIGNER_URL, SIGNER_ADDRESS: s.SIGNER_ADDRESS },
    },
    ...(s.TAKER_OWNER !== undefined && { takerOwner: s.TAKER_OWNER }),
    takerIndex: BigInt(s.TAKER_INDEX),
    database: s.DATABASE,
    ...(s.LEASE_LIFETIME !== undefined && { leaseLifetime: s.LEASE_LIFETIME }),
    gasModel: s.GAS_MODEL,
    ...(s.PORT !== undefined && {
      server: { host: s.HOST, port: s.PORT, maxHeadAge: s.MAX_HEAD_AGE, minGasRunway: s.MIN_GAS_RUNWAY },
    }),
    ...(s.SUBSCRIPTIONS !== undefined && { subscriptions: s.SUBSCRIPTIONS }),
    transports: {
      ...(s.TELEGRAM_TOKEN !== undefined && { telegram: { token: s.TELEGRAM_TOKEN, baseUrl: TELEGRAM } }),
      ...(s.SMTP_URL !== undefined && s.SMTP_FROM !== undefined && { smtp: smtpOf(s.SMTP_URL, s.SMTP_FROM) }),
    },
    notices: { growth: BigInt(Math.round(s.NOTICE_GROWTH * 1e6)) },
    logLevel: s.LOG_LEVEL,
    policy: {
      minProfit: s.MIN_PROFIT,
      ...(s.MAX_SPEND !== undefined && { maxSpend: s.MAX_SPEND }),
      flagInterval: s.FLAG_INTERVAL,
      settleThreshold: s.SETTLE_THRESHOLD,
      callThreshold: s.CALL_THRESHOLD,
      sweepThreshold: s.SWEEP_THRESHOLD,
      accrueInterval: s.ACCRUE_INTERVAL,
      observeInterval: s.OBSERVE_INTERVAL,
      backupBlocks: s.BACKUP_BLOCKS,
      confirmations: s.CONFIRMATIONS,
      ...(s.HOURLY_LIMIT !== undefined && { hourlyLimit: s.HOURLY_LIMIT }),
      ...(s.DAILY_LIMIT !== undefined && { dailyLimit: s.DAILY_LIMIT }),
      gasUnderlying: s.GAS_UNDERLYING,
      pollInterval: s.POLL_INTERVAL,
      confirmTimeout: s.CONFIRM_TIMEOUT,
      replaceAfter: s.REPLACE_AFTER,
      maxGasPrice: s.MAX_GAS_PRICE,
    },
  };
}

/** @param url such as smtps://user:password@mail.example:465, or smtp:// for STARTTLS */
function smtpOf(url: string, from: string): NonNullable<Transports["smtp"]> {
  const { protocol, hostname, port, username, password } = URL.parse(url) ?? new URL("smtp:");
  if (!/^smtps?:$/.test(protocol) || hostname === "") {
    throw new InvalidKeeperConfig(["SMTP_URL: give smtps://user:password@host:port"]);
  }
  const secure = protocol === "smtps:";
  return {
    ...{ host: hostname, port: port === "" ? (secure ? 465 : 587) : Number(port), secure, from },
    ...(username !== "" && { user: decodeURIComponent(username), password: decodeURIComponent(password) }),
  };
}

function gweiToWei(gwei: number): bigint {
  return BigInt(Math.round(gwei * 1e9));
}

function toWad(text: string, context: z.RefinementCtx): bigint {
  try {
    return parseWad(text);
  } catch (error) {
    if (!(error instanceof InvalidAmount)) throw error;
    context.addIssue({ code: "custom", message: `${error.message}; give USD as a decimal number` });
    return z.NEVER;
  }
}
