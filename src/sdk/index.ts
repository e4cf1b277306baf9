/**
 * The client of a house, and what goes with it: accounts, calls, orders, the client of a matcher, permits, session keys, intents, the
 * insurance fund, history, amounts and errors. Runs in Node and in browsers.
 *
 * @module
 */
export type { Exchange } from "../../types/contracts/Exchange.ts";
export type { IClearingHouse } from "../../types/contracts/interfaces/IClearingHouse.ts";
export type { IInsuranceFund } from "../../types/contracts/interfaces/IInsuranceFund.ts";
export type { IPriceOracle } from "../../types/contracts/interfaces/IPriceOracle.ts";
export type { IRiskEngine } from "../../types/contracts/interfaces/IRiskEngine.ts";
export {
  MissingPrice,
  MissingRate,
  RiskError,
  UnknownCollateral,
  UnknownMarket,
  UnknownUnderlying,
} from "../risk/errors.ts";
export { PPM, WAD } from "../risk/fixed.ts";
export type { LiquidationPrices } from "../risk/liquidationPrice.ts";
export { PlimsollError } from "../risk/plimsollError.ts";
export type { AccountState, Assessment, HouseState, LendingState, MarginState } from "../risk/types.ts";
export type { WhatIf } from "../risk/whatIf.ts";
export { AccountIndexTooLarge, accountId, accountParts, isolatedAccountId, ownerOf } from "./accountId.ts";
export type { AccountId, AccountParts } from "./accountId.ts";
export { InvalidAddressBook, parseAddressBook } from "./addressBook.ts";
export type {
  AddressBook,
  CashEntry,
  CollateralEntry,
  ContractAddresses,
  GovernanceAddresses,
  MarketEntry,
  UnderlyingEntry,
} from "./addressBook.ts";
export {
  ALL,
  UnknownSymbol,
  absorbCall,
  allowPayeeCall,
  approveCall,
  assetOf,
  batchCall,
  cancelBelowCall,
  cancelCall,
  cancelIntentCall,
  cashCallCall,
  claimCall,
  depositCall,
  flagCall,
  grantKeyCall,
  grantKeyForCall,
  intentCall,
  lendCall,
  liquidateCall,
  lockDownCall,
  observeCall,
  observeRateCall,
  permitCall,
  recallCall,
  removePayeeCall,
  requestExitCall,
  requireCashCall,
  revokeAllCall,
  revokeAllForCall,
  revokeKeyCall,
  revokeKeyForCall,
  setDeadManCall,
  setGuardCall,
  settleCall,
  settleEachCall,
  settleForFeeCall,
  settleOrdersCall,
  setExposureCapCall,
  trackFlowsCall,
  transferCall,
  unlockCall,
  withdrawCall,
} from "./calls.ts";
export type { Asset, Call, GuardTerms, LiquidationTerms, Match } from "./calls.ts";
export { NoProvider, NoSigner, NodeIncomplete, Plimsoll, WrongChain, maximumLoss } from "./client.ts";
export type {
  AccountLoans,
  ChainHealth,
  ClosingCure,
  Health,
  HypotheticalTrade,
  LendingMarket,
  LiquidationPreview,
  MarginCallInfo,
  OrderTerms,
  View,
} from "./client.ts";
export type { ContractErrorArgs } from "./contractErrors.ts";
export { ContractError, decodeError, withTypedErrors } from "./errors.ts";
export type { ContractErrorClass, ContractErrorName, ContractErrorOf } from "./errors.ts";
export { feedStatus } from "./feeds.ts";
export type { FeedStatus, LastGoodPrice } from "./feeds.ts";
export {
  fundDepositCall,
  fundExitCall,
  fundRedeemCall,
  fundState,
  fundShareOf,
  fundWithdrawCall,
  shareDecimals,
} from "./fund.ts";
export type { FundShare, FundState } from "./fund.ts";
export {
  accountsOf,
  fundingPaid,
  interestSoFar,
  keyHistory,
  keysOf,
  payeesOf,
  roleMembers,
  statementOf,
} from "./history.ts";
export type { FundingPaid, KeyHistoryEntry, KeyUse, KnownKey, Payee, RoleMember, StatementEntry } from "./history.ts";
export { ANY, hashInstruction, signInstruction } from "./instructions.ts";
export type {
  CancelInstruction,
  CancelManyInstruction,
  HeartbeatInstruction,
  Instruction,
  InstructionOf,
} from "./instructions.ts";
export { signIntent } from "./intents.ts";
export type {
  Authorisation,
  DepositIntent,
  Intent,
  IntentTerms,
  LendingIntent,
  TransferIntent,
  WithdrawIntent,
} from "./intents.ts";
export { MatcherClient, MatcherRefusal, MatcherUnreachable } from "./matcher.ts";
export type { Cancellation, Depth, FillView, Level, OrderView, Placed } from "./matcher.ts";
export {
  InvalidOrder,
  bracket,
  buildOrder,
  hashOrder,
  orderDomain,
  signOrder,
  stopLoss,
  takeProfit,
  verifyOrder,
} from "./orders.ts";
export type { BracketTerms, ExitTerms, Order, OrderFields, OrderVenue, SignedOrder } from "./orders.ts";
export { NoPermit, PERMIT2, signPermit, signPermit2 } from "./permits.ts";
export type { Permit, PermitTerms } from "./permits.ts";
export { REFUSALS } from "./refusals.ts";
export type { RefusalName } from "./refusals.ts";
export { InvalidGrant, SCOPES, UNLIMITED, buildGrant, signGrant, signRevoke, signRevokeAll } from "./sessionKeys.ts";
export type { Grant, GrantState, GrantTerms, KeyName } from "./sessionKeys.ts";
export { settlementOf } from "./settlements.ts";
export type { ExecutionFee, MatchOutcome, SettlementOutcome } from "./settlements.ts";
export {
  InvalidAmount,
  PriceNotPositive,
  WAD_DECIMALS,
  formatAmount,
  formatWad,
  fromWadDown,
  parseAmount,
  parsePrice,
  parseWad,
  toWadDown,
} from "./units.ts";
