import { getAddress, isAddress } from "ethers";
import { z } from "zod";

import { InvalidAmount, parseWad } from "../sdk/units.ts";
import { TELEGRAM } from "./channels.ts";
import type { Transports } from "./channels.ts";
import type { Relay } from "./endpoints.ts";
import { AdvisedBidding, ShareBidding } from "./fees.ts";
import type { Bidding } from "./fees.ts";
import type { MatcherHedgeOptions } from "./hedge.ts";
import type { NoticePolicy } from "./notices.ts";
import type { ServerPolicy } from "./server.ts";
import {
  httpUrl,
  InvalidConfig,
  milliseconds,
  RPC_URL,
  secret,
  SENDING,
  SIGNER,
  signerOf,
  TELLING,
} from "./settings.ts";
import type { SignerSettings } from "./signer.ts";

/** When the keeper acts. Amounts are [wad] USD, times [s]. */
export interface KeeperPolicy {
  /** Least expected gain of a liquidation after gas. */
  readonly minProfit: bigint;
  /** Most cash the taker pays for one slice; no limit if left out. */
  readonly maxSpend?: bigint;
  /** Reading of an auction's clock before which a slice that pays already is left to grow: somebody else may take it. */
  readonly patience: bigint;
  /** [ppm] of the house's shock κ · μ that holding one more USD of an underlying is taken to cost. */
  readonly inventoryRisk: bigint;
  /** Notional in one market above which the taker hedges; no limit if left out. */
  readonly maxInventory?: bigint;
  /** Cash of the taker below which it is brought up to `fundTo` from the signer's wallet; never if left out. */
  readonly fundBelow?: bigint;
  /** Cash that the taker has after it was funded, or after the rest was withdrawn. */
  readonly fundTo?: bigint;
  /** Cash of the taker above which the rest goes to the signer's wallet; never if left out. */
  readonly withdrawAbove?: bigint;
  /** Profit below which slices are taken several in one transaction, for less gas; each by itself if left out. */
  readonly batchBelow?: bigint;
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
  /** [s] Time without a new block after which nothing is done until there is one. */
  readonly maxHeadAge: number;
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
  readonly bidding: Bidding;
  /** Matcher where the taker hedges, and how much worse than the index price it trades there [ppm]; it keeps what it takes if left out. */
  readonly hedge?: Pick<MatcherHedgeOptions, "url" | "slippage">;
  /** Of `/metrics`, `/health`, `/ready`, `/why` and `/reports`; there is none if left out. */
  readonly server?: ServerPolicy;
  /** File that says whom to tell of margin calls, and what to tell them with. */
  readonly subscriptions?: string;
  readonly transports: Transports;
  readonly notices: NoticePolicy;
  readonly logLevel: string;
  readonly policy: KeeperPolicy;
}

/** A configuration of a keeper with mistakes. */
export class InvalidKeeperConfig extends InvalidConfig {
  constructor(problems: readonly string[]) {
    super("keeper", problems);
    this.name = "InvalidKeeperConfig";
  }
}

const usd = (byDefault: string) => z.string().default(byDefault).transform(toWad("USD"));
const amountOf = (unit: string) => z.string().transform(toWad(unit)).optional();
const amount = amountOf("USD");
const ether = amountOf("ether (or what else gas is paid in)");
const seconds = (byDefault: number) =>
  z.coerce.number("give seconds").int().min(1).default(byDefault).transform(BigInt);

const share = (byDefault: number) =>
  z.coerce
    .number("give a share such as 0.01")
    .min(0)
    .max(1, "give a share such as 0.01")
    .default(byDefault)
    .transform(toPpm);

const settings = z.object({
  RPC_URL,
  WS_URL: z.url({ protocol: /^wss?$/, error: "give the ws(s) address of a node" }).optional(),
  RELAY_URL: httpUrl("give the http(s) address of a relay").optional(),
  RELAY_METHOD: z.enum(["eth_sendRawTransaction", "eth_sendPrivateTransaction"]).default("eth_sendRawTransaction"),
  ADDRESS_BOOK: z.string().min(1, "give the file a deployment wrote").default("deploy/addresses/31337.json"),
  ...SIGNER,
  DATABASE: z.string().min(1, "give a file or postgres://…").default("keeper.sqlite"),
  LEASE_LIFETIME: z.coerce.number("give milliseconds").int().min(1000).optional(),
  ...SENDING,
  TAKER_OWNER: z
    .string()
    .refine((text) => isAddress(text), "give the address of an AccessManager")
    .transform((text) => getAddress(text))
    .optional(),
  TAKER_INDEX: z.string().regex(/^\d+$/, "give the serial number of an account, 0 for the main one").default("0"),
  MIN_PROFIT: z.string().default("1").transform(toWad("USD", true)), // below nothing: what a liquidation may lose
  MAX_SPEND: amount,
  PATIENCE: z.coerce.number("give seconds").int().min(0).max(180, "an auction's clock stops at 180 s").default(0),
  INVENTORY_RISK: share(0.01),
  MAX_INVENTORY: amount,
  BATCH_BELOW: amount,
  HEDGE: z.enum(["none", "matcher"]).default("none"),
  MATCHER_URL: z.url({ protocol: /^https?$/, error: "give the http(s) address of a matcher" }).optional(),
  HEDGE_SLIPPAGE: share(0.003),
  FUND_BELOW: amount,
  FUND_TO: amount,
  WITHDRAW_ABOVE: amount,
  BIDDING: z.string().default("advised").transform(toBidding),
  FLAG_INTERVAL: seconds(20),
  SETTLE_THRESHOLD: usd("1000"),
  CALL_THRESHOLD: usd("100"),
  SWEEP_THRESHOLD: usd("100"),
  ACCRUE_INTERVAL: seconds(3600),
  OBSERVE_INTERVAL: seconds(600),
  BACKUP_BLOCKS: z.coerce.number("give blocks").int().min(0).default(0),
  HOURLY_LIMIT: ether,
  DAILY_LIMIT: ether,
  GAS_UNDERLYING: z.string().min(1).default("ETH"),
  POLL_INTERVAL: milliseconds(1000),
  ...TELLING,
  MAX_HEAD_AGE: z.coerce.number("give seconds").positive().default(60),
  SUBSCRIPTIONS: z.string().min(1).optional(),
  NOTICE_GROWTH: z.coerce.number("give a share such as 0.25").min(0.01).max(100).default(0.25),
  TELEGRAM_TOKEN: secret,
  SMTP_URL: secret,
  SMTP_FROM: z.email("give the sender's e-mail address").optional(),
});

/** What one setting needs of another. */
const schema = settings.superRefine((s, context) => {
  const need = (path: keyof typeof s, isMet: boolean, message: string): void => {
    if (!isMet) context.addIssue({ code: "custom", path: [path], message });
  };
  const hedges = s.HEDGE === "matcher";
  need("MATCHER_URL", !hedges || s.MATCHER_URL !== undefined, "give the http(s) address of the matcher to hedge at");
  need("MAX_INVENTORY", !hedges || s.MAX_INVENTORY !== undefined, "give the USD of notional to keep, 0 to hedge all");
  const shares = s.LEASE_LIFETIME !== undefined;
  need("BATCH_BELOW", s.BATCH_BELOW === undefined || !shares, "leave it out: with LEASE_LIFETIME none is sent");
  need("SMTP_FROM", s.SMTP_URL === undefined || s.SMTP_FROM !== undefined, "give the sender's e-mail address");
  const { FUND_BELOW: below, FUND_TO: to, WITHDRAW_ABOVE: above } = s;
  need("FUND_TO", to !== undefined || (below ?? above) === undefined, "give the USD that the taker shall have");
  need(
    "WITHDRAW_ABOVE",
    above === undefined || s.TAKER_OWNER === undefined,
    "leave it out: TAKER_OWNER lets nothing leave",
  );
  if (to === undefined) return;
  need("FUND_BELOW", below === undefined || below <= to, "must not be more than FUND_TO");
  need("WITHDRAW_ABOVE", above === undefined || above >= to, "must not be less than FUND_TO");
});

/** The names under which a keeper is configured. */
export const KEEPER_SETTINGS = Object.keys(settings.shape) as readonly (keyof typeof settings.shape)[];

/** Those that are read from the environment only: a command line can be seen by others. */
export const SECRET_SETTINGS = ["PRIVATE_KEY", "KEYSTORE_PASSWORD", "TELEGRAM_TOKEN", "SMTP_URL"] as const;

/** The policy of a keeper that nothing was said about. */
export const DEFAULT_POLICY: KeeperPolicy = resolve({}).policy;

/**
 * Reads a configuration from settings by name, as the environment holds them; empty ones count as not given.
 * @throws InvalidKeeperConfig
 */
export function parseKeeperConfig(given: Readonly<Record<string, string | undefined>>): KeeperConfig {
  return resolve(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== "")));
}

function resolve(given: Readonly<Record<string, string | undefined>>): KeeperConfig {
  const result = schema.safeParse(given);
  if (!result.success) {
    throw new InvalidKeeperConfig(result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`));
  }
  const s = result.data;
  return {
    rpcUrls: s.RPC_URL,
    ...(s.WS_URL !== undefined && { webSocketUrl: s.WS_URL }),
    ...(s.RELAY_URL !== undefined && { relay: { url: s.RELAY_URL, method: s.RELAY_METHOD } }),
    addressBook: s.ADDRESS_BOOK,
    signer: signerOf(s),
    ...(s.TAKER_OWNER !== undefined && { takerOwner: s.TAKER_OWNER }),
    takerIndex: BigInt(s.TAKER_INDEX),
    database: s.DATABASE,
    ...(s.LEASE_LIFETIME !== undefined && { leaseLifetime: s.LEASE_LIFETIME }),
    gasModel: s.GAS_MODEL,
    bidding: s.BIDDING,
    ...(s.HEDGE === "matcher" &&
      s.MATCHER_URL !== undefined && { hedge: { url: s.MATCHER_URL, slippage: s.HEDGE_SLIPPAGE } }),
    ...(s.PORT !== undefined && {
      server: { host: s.HOST, port: s.PORT, maxHeadAge: s.MAX_HEAD_AGE, minGasRunway: s.MIN_GAS_RUNWAY },
    }),
    ...(s.SUBSCRIPTIONS !== undefined && { subscriptions: s.SUBSCRIPTIONS }),
    transports: {
      ...(s.TELEGRAM_TOKEN !== undefined && { telegram: { token: s.TELEGRAM_TOKEN, baseUrl: TELEGRAM } }),
      ...(s.SMTP_URL !== undefined && s.SMTP_FROM !== undefined && { smtp: smtpOf(s.SMTP_URL, s.SMTP_FROM) }),
    },
    notices: { growth: toPpm(s.NOTICE_GROWTH) },
    logLevel: s.LOG_LEVEL,
    policy: {
      minProfit: s.MIN_PROFIT,
      ...(s.MAX_SPEND !== undefined && { maxSpend: s.MAX_SPEND }),
      patience: BigInt(s.PATIENCE),
      inventoryRisk: s.INVENTORY_RISK,
      ...(s.MAX_INVENTORY !== undefined && { maxInventory: s.MAX_INVENTORY }),
      ...(s.FUND_BELOW !== undefined && { fundBelow: s.FUND_BELOW }),
      ...(s.FUND_TO !== undefined && { fundTo: s.FUND_TO }),
      ...(s.WITHDRAW_ABOVE !== undefined && { withdrawAbove: s.WITHDRAW_ABOVE }),
      ...(s.BATCH_BELOW !== undefined && { batchBelow: s.BATCH_BELOW }),
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
      maxHeadAge: s.MAX_HEAD_AGE,
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

function toPpm(of: number): bigint {
  return BigInt(Math.round(of * 1e6));
}

function toBidding(text: string, context: z.RefinementCtx): Bidding {
  if (text === "advised") return new AdvisedBidding();
  const [, of] = /^share:(0\.\d{1,18}|1)$/.exec(text) ?? [];
  if (of !== undefined) return new ShareBidding(parseWad(of));
  context.addIssue({
    code: "custom",
    message: "give advised, or share: and a part of the expected gain such as share:0.5",
  });
  return z.NEVER;
}

/** Reads an amount of some unit. */
function toWad(unit: string, mayBeNegative = false) {
  return (text: string, context: z.RefinementCtx): bigint => {
    const refuse = (message: string): bigint => {
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    };
    try {
      const wad = parseWad(text);
      return wad < 0n && !mayBeNegative ? refuse(`give ${unit}, not less than nothing`) : wad;
    } catch (error) {
      if (!(error instanceof InvalidAmount)) throw error;
      return refuse(`${error.message}; give ${unit} as a decimal number`);
    }
  };
}
