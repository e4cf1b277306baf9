import { PlimsollError } from "../risk/plimsollError.ts";
import { address, fields, flag, list, optional, text, Unreadable, whole } from "./reader.ts";
import type { Reader } from "./reader.ts";

/** Where the contracts of a house are. */
export interface ContractAddresses {
  /** who may change parameters */
  accessManager: string;
  /** holder of all tokens; deposits need an approval for it */
  vault: string;
  /** the ledger */
  clearingHouse: string;
  /** settles signed orders and intents */
  exchange: string;
  /** judges portfolios */
  riskEngine: string;
  /** guarded prices */
  priceOracle: string;
  /** backstop capital */
  insuranceFund: string;
}

/** What governs a house, where that is more than one administrator. */
export interface GovernanceAddresses {
  /** the administrator of the access manager: grants roles after a delay */
  timelock: string;
  /** tightens at once what it may */
  riskSteward: string;
  /** tells whom a change of risk parameters would push under */
  riskPreview: string;
}

/** The settlement asset. */
export interface CashEntry {
  /** such as "USDC" */
  symbol: string;
  /** address of the ERC-20 token */
  token: string;
  /** of the token */
  decimals: number;
  /** whether the token was deployed with the house */
  mock: boolean;
}

/** What prices are of. */
export interface UnderlyingEntry {
  /** as the contracts number it */
  id: number;
  /** such as "ETH" */
  name: string;
  /** address of the Chainlink feed */
  feed: string;
  /** of the feed's answers */
  feedDecimals: number;
  /** whether the feed was deployed with the house */
  mock: boolean;
}

/** A perpetual market. */
export interface MarketEntry {
  /** as the contracts number it */
  id: number;
  /** such as "ETH-PERP" */
  name: string;
  /** id of the underlying */
  underlying: number;
}

/** A collateral asset. */
export interface CollateralEntry extends CashEntry {
  /** as the contracts number it */
  id: number;
  /** id of the underlying */
  underlying: number;
}

/** Where a house is deployed and what it lists. */
export interface AddressBook {
  /** of the chain that it is on */
  chainId: number;
  /** block at or before the first event of the house: where readers of events begin */
  deployBlock: number;
  /** its contracts */
  contracts: ContractAddresses;
  /** what governs it; left out where an administrator does, at once */
  governance?: GovernanceAddresses;
  /** the settlement asset */
  cash: CashEntry;
  /** what has a price */
  underlyings: UnderlyingEntry[];
  /** what is traded */
  markets: MarketEntry[];
  /** what is accepted besides cash */
  collaterals: CollateralEntry[];
}

/** An address book that is missing, unreadable or malformed. */
export class InvalidAddressBook extends PlimsollError {
  override readonly name = "InvalidAddressBook";
  /** file or other place that it comes from */
  readonly source: string;

  /**
   * @param source file or other place that it comes from
   * @param reason what is wrong with it
   */
  constructor(source: string, reason: string) {
    super(`${source} is no address book: ${reason}. Run the deployment (npm run deploy) to write a new one.`);
    this.source = source;
  }
}

const id = whole(0, 255);
const decimals = whole(0, 24);
const asset = { symbol: text, token: address, decimals, mock: flag };
const readBook: Reader<AddressBook> = fields<AddressBook>({
  chainId: whole(1),
  deployBlock: whole(0),
  contracts: fields<ContractAddresses>({
    accessManager: address,
    vault: address,
    clearingHouse: address,
    exchange: address,
    riskEngine: address,
    priceOracle: address,
    insuranceFund: address,
  }),
  governance: optional(fields<GovernanceAddresses>({ timelock: address, riskSteward: address, riskPreview: address })),
  cash: fields<CashEntry>(asset),
  underlyings: list(
    fields<UnderlyingEntry>({ id, name: text, feed: address, feedDecimals: whole(0, 255), mock: flag }),
  ),
  markets: list(fields<MarketEntry>({ id, name: text, underlying: id })),
  collaterals: list(fields<CollateralEntry>({ id, ...asset, underlying: id })),
});

/**
 * Validates an address book, such as one that came as JSON, and gives addresses their checksums.
 *
 * @param value what may be one
 * @param source what to call it in an error
 * @returns the address book
 * @throws {@link InvalidAddressBook} if a field is missing, malformed or unknown
 *
 * @example
 * ```ts
 * const book = parseAddressBook(JSON.parse(JSON.stringify(addressBook)));
 * console.log(book.markets[0]?.name); // → ETH-PERP
 * ```
 */
export function parseAddressBook(value: unknown, source = "the value"): AddressBook {
  try {
    return readBook(value, "");
  } catch (error) {
    if (error instanceof Unreadable) throw new InvalidAddressBook(source, error.message);
    throw error;
  }
}
