import { z } from "zod";

import { InvalidSettings } from "./errors.ts";

/** Where a command finds the node, the house, the matcher and its key. */
export interface CliConfig {
  readonly rpcUrl: string;
  readonly addressBook: string;
  readonly matcher: string | undefined;
  readonly keystore: string | undefined;
  readonly privateKey: string | undefined;
  readonly password: string | undefined;
}

const url = (what: string) => z.url({ protocol: /^https?$/, error: `give the http(s) address of a ${what}` });

const schema = z.object({
  RPC_URL: url("node").default("http://127.0.0.1:8545"),
  ADDRESS_BOOK: z.string().default("deploy/addresses/31337.json"),
  MATCHER: url("matcher").optional(),
  KEYSTORE: z.string().optional(),
  PRIVATE_KEY: z
    .string()
    .regex(/^0x[0-9a-fA-F]{64}$/, "must be 0x and 64 hexadecimal digits")
    .optional(),
  PLIMSOLL_PASSWORD: z.string().optional(),
});

/**
 * Reads the settings, by name as the environment holds them; empty ones count as not given.
 * @throws InvalidSettings
 */
export function parseCliConfig(settings: Readonly<Record<string, string | undefined>>): CliConfig {
  const result = schema.safeParse(Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== "")));
  if (!result.success) {
    throw new InvalidSettings(result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`));
  }
  const s = result.data;
  return {
    rpcUrl: s.RPC_URL,
    addressBook: s.ADDRESS_BOOK,
    matcher: s.MATCHER,
    keystore: s.KEYSTORE,
    privateKey: s.PRIVATE_KEY,
    password: s.PLIMSOLL_PASSWORD,
  };
}
