import { Interface, Transaction } from "ethers";
import type { Provider } from "ethers";

import { divUp, max, min, positive, WAD } from "../risk/fixed.ts";
import type { NodeProvider } from "./endpoints.ts";

const DAY = 86_400; // [s]
const BUMP = 1125n; // [‰ of the last fees] nodes replace a transaction by one that pays an eighth more
const USUAL_PRIORITY_FEE = 10n ** 9n; // [wei] where a node advises none
const ORACLE = "0x420000000000000000000000000000000000000F"; // GasPriceOracle, the same on every OP-stack chain
const oracle = new Interface(["function getL1Fee(bytes) view returns (uint256)"]);

/** What a transaction offers for a unit of gas [wei]. */
export interface Fees {
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
}

/** What the node advises to offer, and what a unit of gas costs now [wei]. */
export interface Advice extends Fees {
  readonly gasPrice: bigint;
}

/** A transaction before it is signed; it sends no ether. */
export interface UnsignedTransaction extends Fees {
  readonly chainId: number;
  readonly nonce: number;
  readonly to: string;
  readonly data: string;
  readonly gasLimit: bigint;
}

/** The chain has no base fee: transactions with a highest and a priority fee (EIP-1559) would not be understood. */
export class NoBaseFee extends Error {
  constructor() {
    super("the node gives no base fee: the keeper needs a chain with EIP-1559");
    this.name = "NoBaseFee";
  }
}

/** How much to offer for a place in a block. */
export interface Bidding {
  /**
   * @param advice of the node
   * @param expectedGain [wei] what the transaction brings before gas; `undefined` for upkeep
   * @param gas that it may use
   */
  fees(advice: Advice, expectedGain: bigint | undefined, gas: bigint): Fees;
}

/** Offers what the node advises, but never more than a share of what the transaction brings. */
export class AdvisedBidding implements Bidding {
  readonly #share: bigint;

  /** @param share [wad] of the expected gain that gas may cost at most */
  constructor(share: bigint = WAD) {
    this.#share = share;
  }

  fees(advice: Advice, expectedGain: bigint | undefined, gas: bigint): Fees {
    if (expectedGain === undefined) return capped(advice, advice.maxFeePerGas);
    return capped(advice, (expectedGain * this.#share) / (WAD * gas));
  }
}

/** Offers a share of what the transaction brings, to be the first where others want the same; for upkeep what the node advises. */
export class ShareBidding implements Bidding {
  readonly #share: bigint;

  /** @param share [wad] of the expected gain */
  constructor(share: bigint) {
    this.#share = share;
  }

  fees(advice: Advice, expectedGain: bigint | undefined, gas: bigint): Fees {
    if (expectedGain === undefined) return advice;
    const offer = (expectedGain * this.#share) / (WAD * gas);
    const tip = advice.maxPriorityFeePerGas + positive(offer - advice.gasPrice);
    return { maxFeePerGas: offer, maxPriorityFeePerGas: min(tip, offer) };
  }
}

/** [wei] What a unit of gas is going to cost at these fees. */
export function priceOf(fees: Fees, { gasPrice, maxPriorityFeePerGas }: Advice): bigint {
  return min(fees.maxFeePerGas, gasPrice + positive(fees.maxPriorityFeePerGas - maxPriorityFeePerGas));
}

/** What a transaction costs, where a unit of gas is not all. */
export interface GasModel {
  /** [wei] What it costs if it uses all its gas at its highest price. */
  cost(transaction: UnsignedTransaction): Promise<bigint>;
}

/** Gas is all that is paid. */
export class PlainGas implements GasModel {
  cost({ gasLimit, maxFeePerGas }: UnsignedTransaction): Promise<bigint> {
    return Promise.resolve(gasLimit * maxFeePerGas);
  }
}

/** An OP-stack chain: its transactions also pay for their place in a blob of the chain below, and its oracle says how much. */
export class OpStackGas implements GasModel {
  readonly #provider: Provider;

  constructor(provider: Provider) {
    this.#provider = provider;
  }

  async cost(transaction: UnsignedTransaction): Promise<bigint> {
    const { unsignedSerialized } = Transaction.from({ ...transaction, type: 2 });
    const data = oracle.encodeFunctionData("getL1Fee", [unsignedSerialized]);
    const answer = await this.#provider.call({ to: ORACLE, data });
    const [dataFee] = oracle.decodeFunctionResult("getL1Fee", answer) as unknown as [bigint];
    return transaction.gasLimit * transaction.maxFeePerGas + dataFee;
  }
}

/** The gas model that a configuration names. */
export function gasModelOf(name: "plain" | "opStack", provider: Provider): GasModel {
  return name === "opStack" ? new OpStackGas(provider) : new PlainGas();
}

/** The same fees, none of them above `most`. */
export function capped({ maxFeePerGas, maxPriorityFeePerGas }: Fees, most: bigint): Fees {
  return { maxFeePerGas: min(maxFeePerGas, most), maxPriorityFeePerGas: min(maxPriorityFeePerGas, most) };
}

/** The least fees that a node accepts in the place of `last`, and not less than `now`. */
export function dearer(last: Fees, now: Fees): Fees {
  const raise = (fee: bigint, least: bigint) => max(divUp(fee * BUMP, 1000n), least);
  return {
    maxFeePerGas: raise(last.maxFeePerGas, now.maxFeePerGas),
    maxPriorityFeePerGas: raise(last.maxPriorityFeePerGas, now.maxPriorityFeePerGas),
  };
}

/** [s] For how long a balance [wei] lasts at what a day costs [wei]; infinite if nothing is spent and there is something to spend. */
export function runwayOf(balance: bigint, perDay: bigint): number {
  if (perDay === 0n) return balance > 0n ? Infinity : 0;
  return (Number(balance) / Number(perDay)) * DAY;
}

/** What to offer above a base fee [wei], as ethers advises: the next blocks may double it. @throws NoBaseFee */
export function adviceOf(baseFee: bigint | undefined, priorityFee: bigint): Advice {
  if (baseFee === undefined) throw new NoBaseFee();
  const [gasPrice, maxFeePerGas] = [baseFee + priorityFee, 2n * baseFee + priorityFee];
  return { gasPrice, maxFeePerGas, maxPriorityFeePerGas: priorityFee };
}

/** The priority fee [wei] that a node advises; if it does not, what it advised before, or a usual one. */
export async function askPriorityFee(provider: NodeProvider, otherwise = USUAL_PRIORITY_FEE): Promise<bigint> {
  try {
    return BigInt((await provider.send("eth_maxPriorityFeePerGas", [])) as string);
  } catch {
    return otherwise;
  }
}
