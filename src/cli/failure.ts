import { CommanderError } from "commander";
import { decodeBytes32String, isError, isHexString } from "ethers";

import {
  HistoryTooShort,
  ParameterOutOfBounds,
  ProposalChanged,
  ProposalForAnotherHouse,
  ProposalMalformed,
  ProposalMisnamed,
  ProposalSignatureWrong,
  UnderlyingNotListed,
  WindowsOverlap,
} from "../calibrate/errors.ts";
import { InvalidKeeperConfig } from "../keeper/config.ts";
import { NotDeployed } from "../keeper/endpoints.ts";
import {
  AssetRepeated,
  CandleColumnsWrong,
  CandleFileEmpty,
  CandleFileUnreadable,
  CandleInvalid,
  CandlesMissing,
  NoCommonMinutes,
  OptionInvalid,
  UnknownAsset,
} from "../replay/errors.ts";
import { OpeningFailed, ReplayStopped, ScenarioInvalid, StateBroken, StateForeign } from "../replay/lab/errors.ts";
import { RiskError } from "../risk/errors.ts";
import { AccountIndexTooLarge } from "../sdk/accountId.ts";
import { InvalidAddressBook } from "../sdk/addressBook.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { UnknownSymbol } from "../sdk/calls.ts";
import { WrongChain } from "../sdk/client.ts";
import { decodeError } from "../sdk/errors.ts";
import type { ContractError, ContractErrorName } from "../sdk/errors.ts";
import { shareDecimals } from "../sdk/fund.ts";
import { MatcherRefusal, MatcherUnreachable } from "../sdk/matcher.ts";
import { InvalidOrder } from "../sdk/orders.ts";
import { NoPermit } from "../sdk/permits.ts";
import { InvalidGrant } from "../sdk/sessionKeys.ts";
import { formatAmount, formatWad, InvalidAmount, PriceNotPositive } from "../sdk/units.ts";
import { RevocationUseless, WatcherLacksGas } from "../watcher/watcher.ts";
import { CliError, EXIT, InvalidCommandLine, NodeSilent } from "./errors.ts";
import { time } from "./format.ts";
import { accountName, collateralName, marketName, underlyingName } from "./names.ts";

/** A failure as it is told: `fields` in human units. */
export interface Failure {
  readonly error: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly exitCode: number;
}

/** Mistakes of the user that the library finds. */
const USAGE = [
  ...[InvalidAddressBook, WrongChain, AccountIndexTooLarge, UnknownSymbol, InvalidAmount, PriceNotPositive],
  ...[InvalidOrder, InvalidGrant, NoPermit, InvalidKeeperConfig, OptionInvalid, NotDeployed],
  ...[CandleFileUnreadable, CandleColumnsWrong, CandleFileEmpty, CandleInvalid, CandlesMissing],
  ...[UnknownAsset, AssetRepeated, NoCommonMinutes, RevocationUseless, WatcherLacksGas],
  ...[HistoryTooShort, WindowsOverlap, UnderlyingNotListed, ParameterOutOfBounds],
  ...[ScenarioInvalid, OpeningFailed, StateForeign, StateBroken],
  ...[ProposalMalformed, ProposalChanged, ProposalSignatureWrong, ProposalForAnotherHouse, ProposalMisnamed],
];

/** How ethers and Node say that nobody answers. */
const SILENCE: readonly unknown[] = [
  ...["NETWORK_ERROR", "SERVER_ERROR", "TIMEOUT", "ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "ETIMEDOUT"],
];

/** What a contract's errors mean to who reads them; the others speak for themselves. */
const MEANINGS: Readonly<Partial<Record<ContractErrorName, string>>> = {
  InsufficientMargin: "the account would not have the equity that this needs",
  InsufficientCash: "the account has, can call back and can borrow less cash than this takes",
  InsufficientLiquidity: "borrowers hold what is lent: less can be paid out now",
  InsufficientCollateral: "the account holds less of this collateral",
  UnsettledLoss: "losses wait for the account's cash",
  CollateralDust: "less than the least balance would be left or brought in",
  CollateralCap: "more of this collateral is not taken",
  PriceOutOfBand: "the price is too far from the index",
  FillTooSmall: "the fill is smaller than the market allows",
  OpenInterestCap: "the market's open interest may not grow further",
  IsolatedMarket: "an isolated account trades its own market only",
  NotOwner: "the account belongs to somebody else",
  OwnerMismatch: "the two accounts belong to different owners",
  PayeeNotAllowed: "the owner's guard allows withdrawals to payees only, and this is none yet",
  LockedDown: "the owner is in lockdown, which leaves only what saves him",
  NotGuardian: "neither the owner nor his guardian",
  NotLockedDown: "there is no lockdown to end",
  UnlockTooEarly: "the owner can end the lockdown himself only later",
  OutflowLimited: "too much of the token has left the house lately: announce an exit, or come back later",
  NewRiskPaused: "new risk is paused: no opening, no borrowing; what reduces, deposits and announced exits go on",
  PauseTooEarly: "a pause has ended lately: the next one can begin only later",
  NotPaused: "new risk is not paused",
  NotFlat: "the account has a position, a debt or a loss",
  OrderExpired: "the order has expired",
  OrderInLockdown: "its owner is in lockdown: only reduce-only orders without a fee are good",
  OrderNotTriggered: "the index price has not reached the order's trigger",
  OrderFeeTooHigh: "the execution fee is more than a hundredth of what the order trades",
  OrderTriggerRests: "an order with a trigger cannot rest",
  OrderCancelledOrFilled: "the order has been cancelled or filled",
  OrderNonceTooLow: "orders below this nonce have been cancelled",
  OrderEpochMismatch: "its owner has revoked all orders of that epoch",
  NothingSettled: "every match had to be left out, the last one for this reason",
  OrderNotCrossing: "the two limits do not cross",
  OrderNoMaker: "neither of the two orders rests",
  OrderSideMismatch: "the two orders are on the same side",
  OrderNothingToReduce: "a reduce-only order, and no position that it reduces",
  InvalidSignature: "neither the owner nor a key of his has signed this",
  InvalidIntent: "neither the owner nor a key of his has signed this intent",
  IntentUsedBefore: "an intent with this nonce has been used or cancelled",
  IntentExpired: "the intent's deadline has passed",
  UnknownKey: "nobody has granted this key anything",
  KeyIsRevoked: "the key, or one above it, has been revoked",
  KeyExpired: "the key's grant has ended",
  KeyLacksScope: "the key may not do this",
  KeyLacksMarket: "the key may not trade this market",
  KeyLacksAccount: "the key may not act for this account",
  KeyNotionalLimit: "the key may not trade so much in what is left of its day",
  KeyLossLimit: "the key may not lose so much of what is left of its limit",
  KeyEquityFloor: "the fill would leave the account below the key's floor",
  ExposureCap: "the account's owner has capped what it may open of this underlying (account cap)",
  FlowsNotTracked: "a key with a floor needs the account's flows to be counted (account track on)",
  NothingToClaim: "the account has no such profit in the market, or its pool holds nothing",
  ERC4626ExceededMaxRedeem: "fewer shares can be redeemed now: what leaves the fund is requested first, and then waits",
  ERC4626ExceededMaxWithdraw: "less can be withdrawn now: what leaves the fund is requested first, and then waits",
  TransferFromFailed: "the tokens could not be taken: has Permit2 been approved for them?",
  Permit2Failed: "neither the token nor Permit2 accepts the permit",
  KeyWithdrawsToOwner: "what a key withdraws goes to the owner only",
  GrantTooWide: "the grant is wider than allowed",
  OwnerSilent: "its owner has not renewed his dead-man switch in time",
  DeadManInvalid: "the time is too far, or a key has tried to switch the switch off",
  NonceNotIncreased: "nonces below a higher one are cancelled already",
  PriceStale: "the feed's last answer is too old",
  AccessManagedUnauthorized: "the sender does not have the role that governs this",
};

type Unit =
  | "shares"
  | "cash"
  | "wad"
  | "time"
  | "ppm"
  | "account"
  | "market"
  | "collateral"
  | "underlying"
  | "usd2"
  | "usd4"
  | "plain";

const WAD_FIELDS = [
  ...["equity", "required", "available", "maintenanceMargin", "cash", "loss", "shortfall", "unsettledLoss", "claim"],
  ...["pnl", "price", "index", "limitPrice", "bid", "ask", "minPrice", "maxPrice", "secondPrice", "size", "sizeBefore"],
  ...[
    "sizeAfter",
    "makerSize",
    "takerSize",
    "filled",
    "position",
    "openInterest",
    "cap",
    "balance",
    "minimum",
    "amount",
  ],
  ...["gain", "minGain", "payment", "maxPayment", "initialMargin", "surcharge"],
  ...["netEquity", "indexPrice", "triggerAbove", "triggerBelow", "executionFee"],
];
const TIME_FIELDS = [
  "expiry",
  "deadline",
  "now_",
  "time",
  "updatedAt",
  "end",
  "since",
  "upSince",
  "now",
  "latest",
  "until",
];

/** Units of the fields of contract errors, by name; `Error.field` where a name means different things. */
const UNITS: Readonly<Record<string, Unit>> = {
  ...Object.fromEntries(WAD_FIELDS.map((field) => [field, "wad"])),
  ...Object.fromEntries(TIME_FIELDS.map((field) => [field, "time"])),
  ...{ account: "account", market: "market", makerMarket: "market", takerMarket: "market" },
  ...{ collateral: "collateral", underlying: "underlying" },
  ...{ band: "ppm", maxDeviation: "ppm", taker: "account" },
  ...{ "OwnerMismatch.from": "account", "OwnerMismatch.to": "account", "PauseTooEarly.from": "time" },
  ...{ "SizeTooLarge.maximum": "wad", "OrderSizeInvalid.unit": "wad", "OrderSizeInvalid.max": "wad" },
  ...{
    "OrderPriceInvalid.max": "wad",
    "OrderFeeTooHigh.max": "wad",
    "KeyEquityFloor.floor": "wad",
    "PriceInvalid.maximum": "wad",
    "KeyLacksScope.required": "plain",
    "OrderNotFilledWhole.filled": "wad",
  },
  ...{ "FractionTooSmall.fraction": "wad", "KeyNotionalLimit.notional": "usd2", "KeyNotionalLimit.left": "usd2" },
  ...{ "KeyLossLimit.loss": "usd4", "KeyLossLimit.left": "usd4" },
  ...{ "ERC4626ExceededMaxRedeem.shares": "shares", "ERC4626ExceededMaxRedeem.max": "shares" },
  ...{ "ERC4626ExceededMaxWithdraw.assets": "cash", "ERC4626ExceededMaxWithdraw.max": "cash" },
  ...{ "ERC20InsufficientBalance.balance": "plain", "InsufficientBalance.balance": "plain" },
};

/** What went wrong, for machines and for people. */
export function describeFailure(error: unknown, book: AddressBook | undefined): Failure {
  const refused = decodeError(error);
  if (refused !== undefined) return ofContract(refused, book);
  if (error instanceof CommanderError) return ofCommander(error);
  if (error instanceof MatcherRefusal) return ofMatcher(error, book);
  if (error instanceof MatcherUnreachable) return named(error, fieldsOf(error), EXIT.unreachable);
  if (error instanceof CliError) return named(error, error.fields, error.exitCode);
  if (error instanceof RiskError) return named(error, fieldsOf(error), EXIT.refused);
  if (error instanceof ReplayStopped) return named(error, fieldsOf(error), EXIT.stopped);
  if (USAGE.some((kind) => error instanceof kind)) return named(error as Error, fieldsOf(error as Error), EXIT.usage);
  if (isSilence(error)) return named(new NodeSilent(shortMessage(error)), {}, EXIT.unreachable);
  if (isError(error, "INSUFFICIENT_FUNDS")) return shortOfGas(error.transaction.from);
  return named(error instanceof Error ? error : new Error(String(error)), {}, EXIT.failed);
}

/** Whether the node has gone away after it had answered. */
function isSilence(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "code" in error && SILENCE.includes(error.code);
}

function shortMessage(error: Error & { code: string }): string {
  return "shortMessage" in error ? String(error.shortMessage) : error.code;
}

function ofContract(error: ContractError, book: AddressBook | undefined): Failure {
  const fields = Object.fromEntries(
    Object.entries(error.args).map(([field, value]) => [
      field.replace(/_$/, ""),
      human(error.name, field, value, book),
    ]),
  );
  const message = withNumbers(MEANINGS[error.name] ?? "the contract refuses this", fields);
  return { error: error.name, message, fields: { ...fields, data: error.data }, exitCode: EXIT.refused };
}

/** The matcher's numbers are those of contracts, as texts. */
function ofMatcher({ reason, status, message, fields }: MatcherRefusal, book: AddressBook | undefined): Failure {
  const read = Object.fromEntries(
    Object.entries(fields).map(([field, value]) => {
      const isNumber = typeof value === "string" ? /^-?\d+$/.test(value) : Number.isInteger(value);
      return [field, isNumber ? human(reason, field, BigInt(value as string | number), book) : value];
    }),
  );
  const exitCode = status === 503 ? EXIT.unreachable : EXIT.refused;
  return { error: reason, message: withNumbers(message, read), fields: read, exitCode };
}

function withNumbers(message: string, fields: Readonly<Record<string, unknown>>): string {
  const numbers = Object.entries(fields).map(([field, value]) => `${field} ${String(value)}`);
  return numbers.length === 0 ? message : `${message} (${numbers.join(", ")})`;
}

/** A value of a contract error in the unit that its name stands for. */
function human(error: string, field: string, value: unknown, book: AddressBook | undefined): unknown {
  if (field === "reason" && isHexString(value)) return reasonText(value, book);
  if (typeof value !== "bigint") return isHexString(value, 32) ? decodeName(value) : value;
  switch (UNITS[`${error}.${field}`] ?? UNITS[field]) {
    case "wad":
      return formatWad(value);
    case "shares":
      return book === undefined ? value.toString() : formatAmount(value, shareDecimals(book));
    case "cash":
      return book === undefined ? value.toString() : formatAmount(value, book.cash.decimals);
    case "usd2":
      return formatAmount(value, 2);
    case "usd4":
      return formatAmount(value, 4);
    case "ppm":
      return `${formatAmount(value, 4)}%`;
    case "time":
      return time(value);
    case "account":
      return book === undefined ? value.toString() : accountName(value, book);
    case "market":
      return book === undefined ? value.toString() : marketName(Number(value), book);
    case "collateral":
      return book === undefined ? value.toString() : collateralName(Number(value), book);
    case "underlying":
      return book === undefined ? value.toString() : underlyingName(Number(value), book);
    default:
      return value.toString();
  }
}

/** An error within an error. */
function reasonText(data: string, book: AddressBook | undefined): string {
  const inner = decodeError({ data });
  if (inner === undefined) return data;
  const { error, message } = ofContract(inner, book);
  return `${error}: ${message}`;
}

function decodeName(value: string): string {
  try {
    return decodeBytes32String(value);
  } catch {
    return value; // bytes32 that is no text
  }
}

function ofCommander({ message }: CommanderError): Failure {
  const error = new InvalidCommandLine(message.replace(/^error: /, "").replaceAll("\n", " "));
  return named(error, error.fields, error.exitCode);
}

function shortOfGas(from: unknown): Failure {
  const sender = typeof from === "string" ? from : "the sender";
  const message = `${sender} cannot pay for the gas`;
  return { error: "InsufficientGas", message, fields: { sender }, exitCode: EXIT.refused };
}

function named(error: Error, fields: Readonly<Record<string, unknown>>, exitCode: number): Failure {
  return { error: error.name, message: error.message, fields, exitCode };
}

/** What a typed error of the library carries besides its name and text. */
function fieldsOf(error: Error): Record<string, unknown> {
  return Object.fromEntries(Object.entries(error).filter(([key]) => key !== "name"));
}
