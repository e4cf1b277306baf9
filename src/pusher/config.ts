import { readFileSync } from "node:fs";

import { getAddress, isAddress } from "ethers";
import { z } from "zod";

import type { ServerPolicy } from "../keeper/server.ts";
import { InvalidConfig, milliseconds, RPC_URL, SENDING, SIGNER, signerOf, TELLING } from "../keeper/settings.ts";
import type { SignerSettings } from "../keeper/signer.ts";
import type { Feed, PusherPolicy } from "./pusher.ts";

/** Everything `npm run pusher` is started with. */
export interface PusherConfig {
  /** Nodes, the most trusted first. */
  readonly rpcUrls: readonly string[];
  readonly chainId: number;
  readonly signer: SignerSettings;
  /** File, or address of PostgreSQL, that keeps what was sent. */
  readonly database: string;
  readonly gasModel: "plain" | "opStack";
  /** Of `/metrics`, `/health` and `/ready`; there is none if left out. */
  readonly server?: PusherServerPolicy;
  readonly logLevel: string;
  readonly policy: PusherPolicy;
  readonly feeds: readonly Feed[];
}

/** Where the server listens, and for how long [s] the signer's balance must last for a pusher to be ready. */
export type PusherServerPolicy = Pick<ServerPolicy, "host" | "port" | "minGasRunway">;

/** A configuration of a pusher with mistakes. */
export class InvalidPusherConfig extends InvalidConfig {
  constructor(problems: readonly string[]) {
    super("pusher", problems);
    this.name = "InvalidPusherConfig";
  }
}

const ether = z.coerce.number("give ether").positive().max(1_000_000).transform(toWei).optional();

const settings = z.object({
  RPC_URL,
  FEEDS: z.string("give the file that describes the feeds, see docs/pusher.md").min(1),
  ...SIGNER,
  DATABASE: z.string().min(1, "give a file or postgres://…").default("pusher.sqlite"),
  ...SENDING,
  POLL_INTERVAL: milliseconds(5000),
  SOURCE_TIMEOUT: milliseconds(3000),
  HOURLY_LIMIT: ether,
  DAILY_LIMIT: ether,
  ...TELLING,
});

/** The names under which a pusher is configured. */
export const PUSHER_SETTINGS = Object.keys(settings.shape) as readonly (keyof typeof settings.shape)[];

const address = z
  .string()
  .refine((text) => isAddress(text), "give an address")
  .transform((text) => getAddress(text));
const seconds = (byDefault: number) => z.int().min(1).default(byDefault).transform(BigInt);
const share = (byDefault: number) =>
  z
    .number("give a share such as 0.005")
    .min(0.000001)
    .max(1)
    .default(byDefault)
    .transform((value) => BigInt(Math.round(value * 1e6)));

const source = z.strictObject({ name: z.string().min(1), url: z.url({ protocol: /^https?$/ }), signer: address });

const feed = z
  .strictObject({
    pair: z.string().min(1),
    aggregator: address,
    decimals: z.int().min(0).max(36),
    quorum: z.int().min(1),
    maxAge: seconds(60),
    maxLead: seconds(5),
    maxDeviation: share(0.01),
    maxJump: share(0.1),
    jumpQuorum: z.int().min(1).optional(),
    threshold: share(0.005),
    heartbeat: seconds(3600),
    sources: z.array(source).min(1),
  })
  .transform((one) => ({ ...one, jumpQuorum: one.jumpQuorum ?? one.sources.length }))
  .superRefine(({ quorum, jumpQuorum, sources }, context) => {
    const complain = (path: string, message: string) => {
      context.addIssue({ code: "custom", path: [path], message });
    };
    if (quorum > sources.length) complain("quorum", `there are ${sources.length} sources only`);
    if (jumpQuorum < quorum || jumpQuorum > sources.length) {
      complain("jumpQuorum", `give at least the quorum and at most ${sources.length}, the number of sources`);
    }
    for (const key of ["name", "url", "signer"] as const) {
      if (new Set(sources.map((one) => one[key])).size === sources.length) continue;
      complain("sources", `two of them have one ${key}: that is one source`);
    }
  });

const feedsFile = z.strictObject({
  chainId: z.int().positive(),
  feeds: z
    .array(feed)
    .min(1)
    .refine(
      (feeds) =>
        ["pair", "aggregator"].every((key) => new Set(feeds.map((one) => one[key as "pair"])).size === feeds.length),
      "two of them have one pair or one aggregator",
    ),
});

/**
 * Reads a configuration from settings by name, as the environment holds them, and from the file that `FEEDS` names; empty settings
 * count as not given.
 * @throws InvalidPusherConfig
 */
export function parsePusherConfig(given: Readonly<Record<string, string | undefined>>): PusherConfig {
  const s = parse(settings, Object.fromEntries(Object.entries(given).filter(([, value]) => value !== "")), "");
  const { chainId, feeds } = parse(feedsFile, readJson(s.FEEDS), `${s.FEEDS}: `);
  return {
    ...{ rpcUrls: s.RPC_URL, chainId, feeds, database: s.DATABASE, gasModel: s.GAS_MODEL, logLevel: s.LOG_LEVEL },
    signer: signerOf(s),
    ...(s.PORT !== undefined && { server: { host: s.HOST, port: s.PORT, minGasRunway: s.MIN_GAS_RUNWAY } }),
    policy: {
      ...{ pollInterval: s.POLL_INTERVAL, sourceTimeout: s.SOURCE_TIMEOUT, confirmTimeout: s.CONFIRM_TIMEOUT },
      ...{ replaceAfter: s.REPLACE_AFTER, confirmations: s.CONFIRMATIONS, maxGasPrice: s.MAX_GAS_PRICE },
      ...(s.HOURLY_LIMIT !== undefined && { hourlyLimit: s.HOURLY_LIMIT }),
      ...(s.DAILY_LIMIT !== undefined && { dailyLimit: s.DAILY_LIMIT }),
    },
  };
}

/** @param where is put before every problem */
function parse<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new InvalidPusherConfig(
    result.error.issues.map(
      ({ path, message }) => `${where}${path.length === 0 ? "" : `${path.join(".")}: `}${message}`,
    ),
  );
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw new InvalidPusherConfig([`FEEDS: ${file} is no readable file of JSON`]);
  }
}

function toWei(ether: number): bigint {
  return BigInt(Math.round(ether * 1e9)) * 10n ** 9n;
}
