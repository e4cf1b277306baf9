import { z } from "zod";

import { InvalidConfig, milliseconds, SENDING, TELLING } from "../keeper/settings.ts";
import { accountId } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { parseWad } from "../sdk/units.ts";
import type { MatcherPolicy } from "./matcher.ts";
import type { ServerPolicy } from "./server.ts";

/** Everything `npm run matcher` is started with. */
export interface MatcherConfig {
  readonly rpcUrl: string;
  readonly addressBook: string;
  /** Private key, or a keystore file with its password. */
  readonly key: { readonly privateKey: string } | { readonly keystore: string; readonly password: string };
  /** Folder of the log. */
  readonly dataFolder: string;
  readonly logLevel: string;
  readonly policy: MatcherPolicy;
  readonly server: ServerPolicy;
}

/** A configuration of a matcher with mistakes. */
export class InvalidMatcherConfig extends InvalidConfig {
  constructor(problems: readonly string[]) {
    super("matcher", problems);
    this.name = "InvalidMatcherConfig";
  }
}

const count = (byDefault: number, maximum = 1_000_000_000) =>
  z.coerce.number("give a number").int().min(1).max(maximum).default(byDefault);

const OWNER_SHIFT = 96n; // of an account id

const account = z
  .string()
  .regex(
    /^(?:[1-9]\d{0,77}|0x[0-9a-fA-F]{40}|0x[0-9a-fA-F]{64})$/,
    "give an account id, or an address for its main account",
  )
  .transform((text): AccountId => (text.length === 42 ? accountId(text.toLowerCase()) : BigInt(text)))
  .refine((id) => id >> OWNER_SHIFT > 0n && id < 1n << 256n, "nobody owns this account");

const schema = z
  .object({
    RPC_URL: z
      .url({ protocol: /^https?$/, error: "give the http(s) address of a node" })
      .default("http://127.0.0.1:8545"),
    ADDRESS_BOOK: z.string().min(1, "give the file a deployment wrote").default("deploy/addresses/31337.json"),
    PRIVATE_KEY: z
      .string()
      .regex(/^0x[0-9a-fA-F]{64}$/, "must be 0x and 64 hexadecimal digits")
      .optional(),
    KEYSTORE: z.string().min(1).optional(),
    KEYSTORE_PASSWORD: z.string().optional(),
    DATA_FOLDER: z.string().min(1).default("out/matcher"),
    HOST: z.string().min(1).default("127.0.0.1"),
    PORT: z.coerce.number("give a port").int().min(0).max(65_535).default(8080),
    BATCH_INTERVAL: milliseconds(1000),
    POLL_INTERVAL: milliseconds(500),
    MAX_BATCH: count(40, 200),
    FEE_ACCOUNT: account.optional(),
    MIN_FEE: z
      .string()
      .regex(/^\d{1,9}(?:\.\d{1,18})?$/, "give USD")
      .default("0.1"),
    MAX_CHAIN_AGE: milliseconds(30_000),
    MAX_LIFETIME: count(30 * 24 * 3600),
    MAX_DISTANCE: z.coerce.number("give percent").positive().max(100).default(20),
    MAX_OPEN_ORDERS: count(200),
    MAX_TOTAL_ORDERS: count(1_000_000),
    OWNER_RATE: count(200),
    ADDRESS_RATE: count(500),
    MESSAGE_RATE: count(20),
    MAX_CONNECTIONS: count(2000),
    MAX_CONNECTIONS_PER_ADDRESS: count(50),
    TRUST_PROXY: z.enum(["true", "false"]).default("false"),
    SEGMENT_MEGABYTES: count(256, 1024),
    LOOKBACK: count(500_000),
    CONFIRM_TIMEOUT: SENDING.CONFIRM_TIMEOUT,
    REPLACE_AFTER: SENDING.REPLACE_AFTER,
    MAX_GAS_PRICE: SENDING.MAX_GAS_PRICE,
    LOG_LEVEL: TELLING.LOG_LEVEL,
  })
  .refine((s) => s.PRIVATE_KEY !== undefined || (s.KEYSTORE !== undefined && s.KEYSTORE_PASSWORD !== undefined), {
    path: ["PRIVATE_KEY"],
    message: "set it in the environment, or KEYSTORE and KEYSTORE_PASSWORD",
  });

/** The names under which a matcher is configured. */
export const MATCHER_SETTINGS = Object.keys(schema.shape) as readonly (keyof typeof schema.shape)[];

/** Settings that are read from the environment only. */
export const SECRETS: readonly string[] = ["PRIVATE_KEY", "KEYSTORE_PASSWORD"];

/**
 * Reads a configuration from settings by name, as the environment holds them; empty ones count as not given.
 * @throws InvalidMatcherConfig
 */
export function parseMatcherConfig(settings: Readonly<Record<string, string | undefined>>): MatcherConfig {
  const result = schema.safeParse(Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== "")));
  if (!result.success) {
    throw new InvalidMatcherConfig(result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`));
  }
  const s = result.data;
  return {
    rpcUrl: s.RPC_URL,
    addressBook: s.ADDRESS_BOOK,
    key:
      s.PRIVATE_KEY !== undefined
        ? { privateKey: s.PRIVATE_KEY }
        : { keystore: s.KEYSTORE ?? "", password: s.KEYSTORE_PASSWORD ?? "" },
    dataFolder: s.DATA_FOLDER,
    logLevel: s.LOG_LEVEL,
    policy: policyOf(s),
    server: {
      host: s.HOST,
      port: s.PORT,
      addressRate: { perSecond: s.ADDRESS_RATE, burst: 2 * s.ADDRESS_RATE },
      messageRate: { perSecond: s.MESSAGE_RATE, burst: 5 * s.MESSAGE_RATE },
      maxConnections: s.MAX_CONNECTIONS,
      maxConnectionsPerAddress: s.MAX_CONNECTIONS_PER_ADDRESS,
      maxSubscriptions: 50,
      maxBuffered: 1 << 20,
      trustProxy: s.TRUST_PROXY === "true",
    },
  };
}

function policyOf(s: z.output<typeof schema>): MatcherPolicy {
  return {
    book: { maxFills: 500, maxWholeFills: s.MAX_BATCH, maxClosed: 20_000 },
    admission: {
      maxLifetime: s.MAX_LIFETIME,
      maxDistance: BigInt(Math.round(s.MAX_DISTANCE * 10_000)),
      maxOpenOrders: s.MAX_OPEN_ORDERS,
      maxPerNonce: 16,
      maxTotalOrders: s.MAX_TOTAL_ORDERS,
      ownerRate: { perSecond: s.OWNER_RATE, burst: 2 * s.OWNER_RATE },
      stampWindow: 30_000,
    },
    settlement: {
      maxBatch: s.MAX_BATCH,
      feeAccount: s.FEE_ACCOUNT,
      minFee: parseWad(s.MIN_FEE),
      confirmTimeout: s.CONFIRM_TIMEOUT,
      pollInterval: s.POLL_INTERVAL,
      replaceAfter: s.REPLACE_AFTER,
      maxGasPrice: s.MAX_GAS_PRICE,
    },
    batchInterval: s.BATCH_INTERVAL,
    pollInterval: s.POLL_INTERVAL,
    maxChainAge: s.MAX_CHAIN_AGE,
    maxWaiting: 50_000,
    segmentBytes: s.SEGMENT_MEGABYTES << 20,
    lookback: s.LOOKBACK,
    maxSlots: 2_000_000,
  };
}
