import { Contract, Signature, TypedDataEncoder, ZeroHash } from "ethers";
import type { Signer, TypedDataDomain } from "ethers";

import { PlimsollError } from "../risk/plimsollError.ts";

/** What goes with a permit to `Vault.permit`, after token, owner and amount. */
export interface Permit {
  /** [s] last second at which it is good */
  deadline: bigint;
  /** of the signature */
  v: number;
  /** of the signature */
  r: string;
  /** of the signature */
  s: string;
}

/** Uniswap's Permit2, the same on every chain. */
export const PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3";

const FOREVER = (1n << 48n) - 1n; // [s] what the vault brings to Permit2 as the end

const TOKEN = [
  "function name() view returns (string)",
  "function version() view returns (string)",
  "function nonces(address owner) view returns (uint256)",
  "function DOMAIN_SEPARATOR() view returns (bytes32)",
];
const ALLOWANCE = [
  "function allowance(address owner, address token, address spender) view returns (uint160, uint48, uint48 nonce)",
];

const PERMIT_TYPES = {
  Permit: [
    { name: "owner", type: "address" },
    { name: "spender", type: "address" },
    { name: "value", type: "uint256" },
    { name: "nonce", type: "uint256" },
    { name: "deadline", type: "uint256" },
  ],
};

/** Of DAI on Ethereum, the one token whose older permit the vault takes: it allows all or nothing. */
const DAI_DOMAIN_SEPARATOR = "0xdbb8cf42e1ecb028be3f3dbc922e1d878b963f411dc388ced501601c60f7c6f7";

const DAI_TYPES = {
  Permit: [
    { name: "holder", type: "address" },
    { name: "spender", type: "address" },
    { name: "nonce", type: "uint256" },
    { name: "expiry", type: "uint256" },
    { name: "allowed", type: "bool" },
  ],
};

const PERMIT2_TYPES = {
  PermitSingle: [
    { name: "details", type: "PermitDetails" },
    { name: "spender", type: "address" },
    { name: "sigDeadline", type: "uint256" },
  ],
  PermitDetails: [
    { name: "token", type: "address" },
    { name: "amount", type: "uint160" },
    { name: "expiration", type: "uint48" },
    { name: "nonce", type: "uint48" },
  ],
};

/** A token whose permits cannot be signed: it has none, or a domain of its own kind. Permit2 may do. */
export class NoPermit extends PlimsollError {
  override readonly name = "NoPermit";
  /** address of the token */
  readonly token: string;

  /** @param token address of the token */
  constructor(token: string) {
    super(`${token} has no ERC-2612 permit that is known how to sign: use Permit2, or approve the vault`);
    this.token = token;
  }
}

/** What a permit allows. */
export interface PermitTerms {
  /** address of the token */
  token: string;
  /** the vault of the house */
  spender: string;
  /** in the token's own units */
  amount: bigint;
  /** [s] last second at which it is good */
  deadline: bigint;
}

/**
 * Signs an ERC-2612 permit of a token, or DAI's own on Ethereum, which allows more than the amount: all of the owner's DAI. Anyone can
 * bring it by {@link permitCall}.
 *
 * @param owner of the tokens
 * @param terms what the permit allows
 * @returns what goes with it to the vault
 * @throws {@link NoPermit} if the token has none, or one that is not known how to sign
 *
 * @example
 * ```ts
 * const deadline = BigInt(Math.floor(Date.now() / 1000) + 600);
 * const { token } = addressBook.cash;
 * const permit = await signPermit(alice, { token, spender: addressBook.contracts.vault, amount: 25_000_000n, deadline });
 * await house.batch([
 *   permitCall(addressBook, alice.address, "USDC", "25", permit),
 *   depositCall(addressBook, account, "USDC", "25"),
 * ]);
 * ```
 */
export async function signPermit(owner: Signer, terms: PermitTerms): Promise<Permit> {
  const { token, spender, amount, deadline } = terms;
  const erc20 = new Contract(token, TOKEN, owner);
  const address = await owner.getAddress();
  const domain = await permitDomain(erc20, token, owner);
  const nonce = (await erc20.getFunction("nonces")(address)) as bigint;
  if (TypedDataEncoder.hashDomain(domain) === DAI_DOMAIN_SEPARATOR) {
    const message = { holder: address, spender, nonce, expiry: deadline, allowed: true };
    return split(await owner.signTypedData(domain, DAI_TYPES, message), deadline);
  }
  const message = { owner: address, spender, value: amount, nonce, deadline };
  return split(await owner.signTypedData(domain, PERMIT_TYPES, message), deadline);
}

/**
 * Signs a permit of {@link PERMIT2}, which the owner has approved for the token before. What it allows has no end until it is used up.
 *
 * @param owner of the tokens
 * @param terms what the permit allows
 * @returns what goes with it to the vault
 *
 * @example
 * ```ts
 * const deadline = BigInt(Math.floor(Date.now() / 1000) + 600);
 * const { token } = addressBook.cash;
 * const permit = await signPermit2(alice, { token, spender: addressBook.contracts.vault, amount: 25_000_000n, deadline });
 * console.log(permit.deadline === deadline, permit.v === 27 || permit.v === 28); // → true true
 * ```
 */
export async function signPermit2(owner: Signer, terms: PermitTerms): Promise<Permit> {
  const { token, spender, amount, deadline } = terms;
  const permit2 = new Contract(PERMIT2, ALLOWANCE, owner);
  const { nonce } = (await permit2.getFunction("allowance")(await owner.getAddress(), token, spender)) as {
    nonce: bigint;
  };
  const message = { details: { token, amount, expiration: FOREVER, nonce }, spender, sigDeadline: deadline };
  const domain = { name: "Permit2", chainId: await chainOf(owner), verifyingContract: PERMIT2 };
  return split(await owner.signTypedData(domain, PERMIT2_TYPES, message), deadline);
}

/** Name and version as the token says, confirmed by its domain separator. */
async function permitDomain(erc20: Contract, token: string, owner: Signer): Promise<TypedDataDomain> {
  const ask = (name: string): Promise<string> =>
    (erc20.getFunction(name)() as Promise<string>).catch(() => (name === "version" ? "1" : ZeroHash));
  const [name, version, separator] = await Promise.all([ask("name"), ask("version"), ask("DOMAIN_SEPARATOR")]);
  const domain = { name, version, chainId: await chainOf(owner), verifyingContract: token };
  if (TypedDataEncoder.hashDomain(domain) !== separator) throw new NoPermit(token);
  return domain;
}

async function chainOf(owner: Signer): Promise<bigint> {
  return (await owner.provider?.getNetwork())?.chainId ?? 0n;
}

function split(signature: string, deadline: bigint): Permit {
  const { v, r, s } = Signature.from(signature);
  return { deadline, v, r, s };
}
