import type { Log } from "ethers";

import { IClearingHouse__factory } from "../../types/index.ts";

const WORD = 64; // hexadecimal digits
const PADDING = 26; // of an address in a topic: 0x and 12 empty bytes

/** What an event of the clearinghouse says that a ledger needs. Amounts are [wad], addresses in lower case. */
export type LedgerEvent = { readonly [Name in keyof Fields]: { readonly name: Name } & Fields[Name] }[keyof Fields];

/** The fields of each event that changes what the ledger keeps, under the names of the ABI. */
export type Fields = { readonly [Name in keyof typeof DECODERS]: ReturnType<(typeof DECODERS)[Name]> };

/** Topics and data of a log. */
export type RawLog = Pick<Log, "topics" | "data">;

/** A log that ends before its event does. */
export class MalformedLog extends Error {
  readonly log: RawLog;

  constructor(log: RawLog) {
    super(`the node sent a log that is cut off, of topic ${log.topics[0]}: use another node`);
    this.name = "MalformedLog";
    this.log = log;
  }
}

const DECODERS = {
  Deposited: (log: RawLog) => ({ account: topic(log, 1), token: addressIn(log, 2), amount: word(log, 0) }),
  Withdrawn: (log: RawLog) => ({ account: topic(log, 1), token: addressIn(log, 2), amount: word(log, 0) }),
  Transferred: (log: RawLog) => ({
    ...{ from: topic(log, 1), to: topic(log, 2), token: addressIn(log, 3), amount: word(log, 0) },
  }),
  Trade: (log: RawLog) => ({
    ...{ market: topic(log, 1), maker: topic(log, 2), taker: topic(log, 3), size: signed(log, 0) },
    ...{ makerQuote: signed(log, 2), takerQuote: signed(log, 3), makerFee: word(log, 4), takerFee: word(log, 5) },
  }),
  LoansChanged: (log: RawLog) => ({
    ...{ account: topic(log, 1), cash: signed(log, 0), lentShares: word(log, 1), debtShares: word(log, 2) },
  }),
  ReservesSwept: (log: RawLog) => ({ amount: word(log, 0) }),
  Settled: (log: RawLog) => ({ account: topic(log, 1), market: topic(log, 2), amount: signed(log, 0) }),
  Claimed: (log: RawLog) => ({
    ...{ account: topic(log, 1), market: topic(log, 2), claimed: word(log, 0), paid: word(log, 1) },
  }),
  FeesSwept: (log: RawLog) => ({
    ...{ market: topic(log, 1), toFund: word(log, 0), toTreasury: word(log, 1), againstBadDebt: word(log, 2) },
  }),
  Flagged: (log: RawLog) => ({ account: topic(log, 1) }),
  MarginCall: (log: RawLog) => ({
    account: topic(log, 1),
    cure: { deposit: word(log, 3), market: word(log, 4), size: signed(log, 5) },
  }),
  AuctionCleared: (log: RawLog) => ({ account: topic(log, 1) }),
  Liquidated: (log: RawLog) => ({
    ...{ account: topic(log, 1), taker: topic(log, 2), flagger: addressIn(log, 3) },
    ...{ payment: signed(log, 5), toFund: word(log, 6), toFlagger: word(log, 7) },
  }),
  PositionTaken: (log: RawLog) => ({
    ...{ account: topic(log, 1), taker: topic(log, 2), market: topic(log, 3) },
    ...{ size: signed(log, 0), accountQuote: signed(log, 1), takerQuote: signed(log, 2) },
  }),
  CollateralTaken: (log: RawLog) => ({
    ...{ account: topic(log, 1), taker: topic(log, 2), collateral: topic(log, 3), amount: word(log, 0) },
  }),
  RescuePaid: (log: RawLog) => ({ taker: topic(log, 2), amount: word(log, 0) }),
  DeficitAbsorbed: (log: RawLog) => ({
    ...{ account: topic(log, 1), market: topic(log, 2), part: word(log, 0), fromFund: word(log, 1) },
  }),
  BadDebtRepaid: (log: RawLog) => ({ amount: word(log, 0) }),
  UnsettledLossSeen: (log: RawLog) => ({ account: topic(log, 1), clock: word(log, 1) }),
  CollateralSet: (log: RawLog) => ({ collateral: topic(log, 1), params: { token: address(log, 0) } }),
  InsuranceFundSet: (log: RawLog) => ({ insuranceFund: address(log, 0) }),
  TreasurySet: (log: RawLog) => ({ treasury: address(log, 0) }),
} as const;

const abi = IClearingHouse__factory.createInterface();
const BY_TOPIC: ReadonlyMap<string, (log: RawLog) => LedgerEvent> = new Map(
  Object.entries(DECODERS).map(([name, fields]) => {
    const { topicHash } = abi.getEvent(name as keyof Fields);
    return [topicHash, (log: RawLog) => Object.assign(fields(log), { name }) as unknown as LedgerEvent];
  }),
);

/** What a log of the clearinghouse says; `undefined` if it changes nothing that a ledger keeps. @throws MalformedLog */
export function decode(log: RawLog): LedgerEvent | undefined {
  return BY_TOPIC.get(log.topics[0] ?? "")?.(log);
}

/** An indexed number, such as the id of an account or of a market. */
function topic(log: RawLog, at: number): bigint {
  return BigInt(topicOf(log, at));
}

function addressIn(log: RawLog, at: number): string {
  return `0x${topicOf(log, at).slice(PADDING)}`;
}

function topicOf(log: RawLog, at: number): string {
  const found = log.topics[at];
  if (found === undefined) throw new MalformedLog(log);
  return found;
}

function address(log: RawLog, at: number): string {
  return `0x${wordOf(log, at).slice(PADDING - 2)}`;
}

function word(log: RawLog, at: number): bigint {
  return BigInt(`0x${wordOf(log, at)}`);
}

function signed(log: RawLog, at: number): bigint {
  return BigInt.asIntN(256, word(log, at));
}

function wordOf(log: RawLog, at: number): string {
  const end = 2 + (at + 1) * WORD;
  if (log.data.length < end) throw new MalformedLog(log);
  return log.data.slice(end - WORD, end);
}
