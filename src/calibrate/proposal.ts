import { readFileSync } from "node:fs";

import canonicalize from "canonicalize";
import { getBytes, keccak256, toUtf8Bytes, verifyMessage } from "ethers";
import type { Signer } from "ethers";
import { z } from "zod";

import { ProposalChanged, ProposalMalformed, ProposalSignatureWrong } from "./errors.ts";

const integer = z
  .string()
  .regex(/^\d{1,20}$/, "must be a decimal integer as a text")
  .transform(BigInt);
const hex = z.string().regex(/^0x[0-9a-f]+$/, "must be hexadecimal, in lower case");
const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/, "must be an address");
const of = { of: z.string(), id: z.int().min(0) };

/** Parameters that are proposed in place of those that stand; kinds and names are those of `plimsoll admin set`. */
const change = z.discriminatedUnion("kind", [
  z.strictObject({
    ...{ kind: z.literal("risk"), ...of },
    values: z.strictObject({ shock: integer, slope: integer, depth: integer }),
  }),
  z.strictObject({ kind: z.literal("regime"), ...of, values: z.strictObject({ referenceVolatility: integer }) }),
  z.strictObject({
    ...{ kind: z.literal("haircuts"), ...of },
    values: z.strictObject({ haircut: integer, haircutInitial: integer }),
  }),
  z.strictObject({
    ...{ kind: z.literal("collateral"), ...of },
    values: z.strictObject({ accountCap: integer, cap: integer }),
  }),
  z.strictObject({
    ...{ kind: z.literal("market"), ...of },
    values: z.strictObject({ softCap: integer, hardCap: integer }),
  }),
]);

/** Which of two changes of the same would stand depends on the order in which they are made. */
function areDistinct(changes: readonly z.output<typeof change>[]): boolean {
  return new Set(changes.map(({ kind, id }) => `${kind} ${id}`)).size === changes.length;
}

const check = z.strictObject({
  ...{ of: z.string(), parameters: z.enum(["present", "proposed"]), rule: z.string(), horizon: z.int() },
  ...{ windows: z.int(), breaches: z.int(), expected: z.number(), pValue: z.number(), shortfall: z.number() },
});

const content = z.strictObject({
  kind: z.literal("parameterProposal"),
  chainId: z.int().positive(),
  clearingHouse: address,
  terms: z.strictObject({ confidence: z.number(), horizon: z.int(), sale: z.int(), fit: z.number() }),
  prices: z.array(z.strictObject({ file: z.string(), digest: hex, from: z.int(), minutes: z.int() })),
  changes: z.array(change).min(1).refine(areDistinct, "must change nothing twice"),
  backTest: z.array(check),
});

const file = z.strictObject({
  proposal: content,
  hash: hex,
  signature: z.strictObject({ signer: address, signature: hex }).optional(),
});

/** A change of parameters, in the contracts' units. */
export type Change = z.output<typeof change>;

/** What is proposed, for which house, and what it was fitted to and tested on; horizons in minutes. */
export type Proposal = z.output<typeof content>;

/** A proposal with its hash and who has signed that. */
export type ProposalFile = z.output<typeof file>;

/** keccak256 of the canonical JSON (RFC 8785) of a proposal, integers as texts: what a governance proposal refers to. */
export function hashOf(proposal: Proposal): string {
  return keccak256(toUtf8Bytes(canonicalize(JSON.parse(toJson(proposal))) ?? ""));
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_, x: unknown) => (typeof x === "bigint" ? x.toString() : x), 2);
}

/** Seals a proposal with its hash and, by EIP-191, a signer's word for it. */
export async function seal(proposal: Proposal, signer?: Signer): Promise<ProposalFile> {
  const hash = hashOf(proposal);
  if (signer === undefined) return { proposal, hash };
  const [name, signature] = await Promise.all([signer.getAddress(), signer.signMessage(getBytes(hash))]);
  return { proposal, hash, signature: { signer: name, signature } };
}

/**
 * Reads a proposal and verifies its hash and, if there is one, its signature.
 * @throws ProposalMalformed, ProposalChanged, ProposalSignatureWrong
 */
export function readProposal(name: string): ProposalFile {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(name, "utf8"));
  } catch (error) {
    throw new ProposalMalformed(name, error instanceof Error ? error.message : String(error));
  }
  const result = file.safeParse(value);
  if (!result.success) throw new ProposalMalformed(name, z.prettifyError(result.error).replaceAll("\n", " "));
  const { hash, signature, proposal } = result.data;
  const computed = hashOf(proposal);
  if (computed !== hash) throw new ProposalChanged(hash, computed);
  if (signature !== undefined) expectSigned(hash, signature);
  return result.data;
}

function expectSigned(hash: string, { signer, signature }: { signer: string; signature: string }): void {
  let recovered: string | undefined;
  try {
    recovered = verifyMessage(getBytes(hash), signature);
  } catch {
    // no signature at all: nobody is recovered
  }
  if (recovered?.toLowerCase() !== signer.toLowerCase()) throw new ProposalSignatureWrong(signer, recovered);
}
