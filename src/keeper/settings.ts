import { z } from "zod";

import type { SignerSettings } from "./signer.ts";

/** A configuration with mistakes; the message names each and says what to put there. It never contains the key. */
export abstract class InvalidConfig extends Error {
  readonly problems: readonly string[];

  constructor(program: string, problems: readonly string[]) {
    super(`the ${program} cannot start:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.problems = problems;
  }
}

/** [ms] */
export const milliseconds = (byDefault: number) =>
  z.coerce.number("give milliseconds").int().min(10).default(byDefault);

/** Looked at by who uses it: no message may quote it. */
export const secret = z.string().min(1).optional();

/** An address to post requests to. `fetch` takes none with a password in front of its host. */
export function httpUrl(error: string) {
  return z
    .url({ protocol: /^https?$/, error })
    .refine((url) => (URL.parse(url)?.username ?? "") === "", `${error}, without a user and password in it`);
}

/** Where a program finds its nodes. */
export const RPC_URL = z
  .string()
  .default("http://127.0.0.1:8545")
  .transform((text) => text.split(","))
  .pipe(z.array(httpUrl("give the http(s) address of a node, or several with commas")));

/** What a program signs with. */
export const SIGNER = {
  ...{ PRIVATE_KEY: secret, KEYSTORE: secret, KEYSTORE_PASSWORD: secret, KEYSTORE_PASSWORD_FILE: secret },
  ...{ SIGNER_URL: secret, SIGNER_ADDRESS: secret },
};

/** How its transactions are sent. */
export const SENDING = {
  CONFIRM_TIMEOUT: milliseconds(60_000),
  REPLACE_AFTER: z.coerce.number("give blocks").int().min(1).default(3),
  CONFIRMATIONS: z.coerce.number("give blocks").int().min(1).default(12),
  MAX_GAS_PRICE: z.coerce
    .number("give gwei")
    .positive()
    .max(1_000_000)
    .default(500)
    .transform((gwei) => BigInt(Math.round(gwei * 1e9))),
  GAS_MODEL: z.enum(["plain", "opStack"]).default("plain"),
};

/** What it tells of itself, and where. */
export const TELLING = {
  PORT: z.coerce.number("give a port").int().min(1).max(65_535).optional(),
  HOST: z.string().min(1).default("127.0.0.1"),
  MIN_GAS_RUNWAY: z.coerce.number("give seconds").positive().default(86_400),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "silent"]).default("info"),
};

/** The settings of its signer among others. */
export function signerOf(s: SignerSettings): SignerSettings {
  return {
    ...{ PRIVATE_KEY: s.PRIVATE_KEY, KEYSTORE: s.KEYSTORE, KEYSTORE_PASSWORD: s.KEYSTORE_PASSWORD },
    ...{ KEYSTORE_PASSWORD_FILE: s.KEYSTORE_PASSWORD_FILE, SIGNER_URL: s.SIGNER_URL, SIGNER_ADDRESS: s.SIGNER_ADDRESS },
  };
}
