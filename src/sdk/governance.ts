import { IClearingHouse__factory } from "../../types/factories/contracts/interfaces/IClearingHouse__factory.ts";
import { PriceOracle__factory } from "../../types/factories/contracts/PriceOracle__factory.ts";
import { RiskEngine__factory } from "../../types/factories/contracts/RiskEngine__factory.ts";
import type {
  CollateralParamsStruct,
  LendingParamsStruct,
  MarketParamsStruct,
} from "../../types/contracts/interfaces/IClearingHouse.ts";
import type { RegimeStruct } from "../../types/contracts/PriceOracle.ts";
import type { CollateralRiskStruct, UnderlyingRiskStruct } from "../../types/contracts/RiskEngine.ts";
import type { AddressBook } from "./addressBook.ts";
import type { Call } from "./calls.ts";

// What governance may change; the sender needs the role that the access manager asks for. Not for traders, and so no part of the package.

const ledger = IClearingHouse__factory.createInterface();
const oracle = PriceOracle__factory.createInterface();
const engine = RiskEngine__factory.createInterface();

/** Lists a market or changes its parameters. */
export function setMarketCall(book: AddressBook, id: number, params: MarketParamsStruct): Call {
  return { target: book.contracts.clearingHouse, data: ledger.encodeFunctionData("setMarket", [id, params]) };
}

/** Lists a collateral asset or changes its caps and dust threshold. */
export function setCollateralCall(book: AddressBook, id: number, params: CollateralParamsStruct): Call {
  return { target: book.contracts.clearingHouse, data: ledger.encodeFunctionData("setCollateral", [id, params]) };
}

/** Changes the kinked interest rate. */
export function setLendingParamsCall(book: AddressBook, params: LendingParamsStruct): Call {
  return { target: book.contracts.clearingHouse, data: ledger.encodeFunctionData("setLendingParams", [params]) };
}

/** Names the owner of the account that receives the protocol's share of fees. */
export function setTreasuryCall(book: AddressBook, treasury: string): Call {
  return { target: book.contracts.clearingHouse, data: ledger.encodeFunctionData("setTreasury", [treasury]) };
}

/** Changes the risk parameters of an underlying. */
export function setUnderlyingRiskCall(book: AddressBook, id: number, risk: UnderlyingRiskStruct): Call {
  return { target: book.contracts.riskEngine, data: engine.encodeFunctionData("setUnderlyingRisk", [id, risk]) };
}

/** Changes the risk parameters of a collateral asset. */
export function setCollateralRiskCall(book: AddressBook, id: number, risk: CollateralRiskStruct): Call {
  return { target: book.contracts.riskEngine, data: engine.encodeFunctionData("setCollateralRisk", [id, risk]) };
}

/** Changes how volatility moves the requirements of an underlying. */
export function setRegimeCall(book: AddressBook, id: number, regime: RegimeStruct): Call {
  return { target: book.contracts.priceOracle, data: oracle.encodeFunctionData("setRegime", [id, regime]) };
}
