import type { Interface, TransactionReceipt } from "ethers";

import { IClearingHouse__factory } from "../../types/factories/contracts/interfaces/IClearingHouse__factory.ts";
import { Exchange__factory } from "../../types/factories/contracts/Exchange__factory.ts";
import type { AccountId } from "./accountId.ts";
import type { AddressBook } from "./addressBook.ts";
import type { Match } from "./calls.ts";
import { decodeError } from "./errors.ts";
import type { ContractError } from "./errors.ts";

const exchange = Exchange__factory.createInterface();
const clearingHouse = IClearingHouse__factory.createInterface();

/** What became of a match. */
export type MatchOutcome = Match &
  (
    | {
        /** it was filled */
        readonly settled: true;
        /** [wad] that filled, positive: the taker bought */
        readonly size: bigint;
        /** [wad] in USD per unit */
        readonly price: bigint;
      }
    | {
        /** it was left out */
        readonly settled: false;
        /** why; `undefined` if it ran out of gas, or for an error that is not known */
        readonly reason: ContractError | undefined;
      }
  );

/** An execution fee that an account has paid. */
export interface ExecutionFee {
  /** account whose order was settled */
  readonly account: AccountId;
  /** account that got the fee */
  readonly feeTo: AccountId;
  /** of the order */
  readonly nonce: bigint;
  /** [wad] USD */
  readonly fee: bigint;
}

/** What a settlement has done. */
export interface SettlementOutcome {
  /** in the order in which they were given */
  readonly matches: readonly MatchOutcome[];
  /** of the orders that have paid one */
  readonly fees: readonly ExecutionFee[];
}

/**
 * What became of the matches of one settlement, and which fees came in, as its events tell.
 *
 * @param book where the house is deployed
 * @param receipt of a transaction with one settlement
 * @param matches that it was called with
 * @returns each match, and each fee
 *
 * @example
 * ```ts
 * const terms = { market: 0, limitPrice: "2000", nonce: 7n };
 * const bobs = await Plimsoll.connect(addressBook, bob);
 * const ask = await bobs.order({ ...terms, account: accountId(bob.address), size: "-2", resting: true });
 * const bid = await house.order({ ...terms, account, size: "1" });
 * const late = await house.order({ ...terms, account, size: "1", expiry: 1n, nonce: 8n });
 * const matches = [1, 2].map((taker) => ({ maker: 0, taker }));
 * const outcome = settlementOf(addressBook, await house.settleEach([ask, bid, late], matches), matches);
 * console.log(outcome.matches.map((match) => (match.settled ? formatWad(match.size) : match.reason?.name))); // → [ '1', 'OrderExpired' ]
 * ```
 */
export function settlementOf(
  book: AddressBook,
  receipt: Pick<TransactionReceipt, "logs">,
  matches: readonly Match[],
): SettlementOutcome {
  const by = (address: string, events: Interface) =>
    receipt.logs.flatMap((log) => (log.address === address ? (events.parseLog(log) ?? []) : []));
  const events = [...by(book.contracts.exchange, exchange), ...by(book.contracts.clearingHouse, clearingHouse)];
  const named = (name: string) => events.filter((event) => event.name === name).map(({ args }) => args);
  const skipped = new Map(named("MatchSkipped").map((args) => [Number(args.index), String(args.reason)]));
  const filled = named("Trade").values(); // one per match, in their order
  return {
    matches: matches.map((match, i): MatchOutcome => {
      const data = skipped.get(i);
      if (data !== undefined) return { ...match, settled: false, reason: decodeError({ data }) };
      const { value } = filled.next();
      return { ...match, settled: true, size: value?.size as bigint, price: value?.price as bigint };
    }),
    fees: named("ExecutionFeePaid").map((args) => ({
      account: args.account as bigint,
      feeTo: args.feeTo as bigint,
      nonce: args.nonce as bigint,
      fee: args.fee as bigint,
    })),
  };
}
