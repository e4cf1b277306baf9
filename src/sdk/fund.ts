import { IInsuranceFund__factory } from "../../types/factories/contracts/interfaces/IInsuranceFund__factory.ts";
import type { AddressBook } from "./addressBook.ts";
import type { Call } from "./calls.ts";
import type { Plimsoll } from "./client.ts";
import { parseAmount, toWadDown } from "./units.ts";

const OFFSET = 6; // decimals of a share beyond those of cash

const fund = IInsuranceFund__factory.createInterface();

/** The insurance fund as it stands. */
export interface FundState {
  /** [wad] its cash, gross of flagged deficits: what shares are priced by for who enters */
  readonly assets: bigint;
  /** [wad] recorded by flags, to be paid by it or by others: taken off for who leaves */
  readonly flaggedDeficit: bigint;
  /** in units of a share, see {@link shareDecimals} */
  readonly shares: bigint;
  /** [s] between a request to leave and the first moment at which it can be used */
  readonly cooldown: bigint;
  /** [s] for which it can be used then */
  readonly exitWindow: bigint;
}

/** What somebody has in the insurance fund. Shares are in units of {@link shareDecimals}. */
export interface FundShare {
  /** that he holds */
  readonly shares: bigint;
  /** [wad] that they would be paid out at now, net of flagged deficits */
  readonly value: bigint;
  /** that he has asked to redeem; zero: none */
  readonly requested: bigint;
  /** [s] first moment at which he can */
  readonly availableAt: bigint;
  /** [s] last one */
  readonly expiresAt: bigint;
  /** that he can redeem now */
  readonly redeemable: bigint;
}

/**
 * Decimals of the fund's shares: with these one share was one unit of cash when the fund was empty.
 *
 * @param book where the house is deployed
 * @returns how many
 *
 * @example
 * ```ts
 * console.log(shareDecimals(addressBook)); // → 12
 * ```
 */
export function shareDecimals(book: AddressBook): number {
  return book.cash.decimals + OFFSET;
}

/**
 * Brings a human `amount` of cash into the insurance fund for shares. The fund must be approved for it beforehand.
 *
 * @param book where the house is deployed
 * @param receiver address that gets the shares
 * @param amount such as "1000"
 * @returns the call, to be sent on its own
 * @throws {@link InvalidAmount} if the amount is no decimal number, or has more decimals than the token
 *
 * @example
 * ```ts
 * await house.send(approveCall(addressBook, "USDC", "1000", addressBook.contracts.insuranceFund));
 * await house.send(fundDepositCall(addressBook, alice.address, "1000"));
 * console.log(formatWad((await fundShareOf(house, alice.address)).value)); // → 1000
 * ```
 */
export function fundDepositCall(book: AddressBook, receiver: string, amount: string): Call {
  return toFund(book, fund.encodeFunctionData("deposit", [parseAmount(amount, book.cash.decimals), receiver]));
}

/**
 * Asks to redeem shares of the insurance fund after its cooldown; replaces an earlier request of the sender.
 *
 * @param book where the house is deployed
 * @param shares such as "250.5"; "0" takes the request back
 * @returns the call, to be sent on its own
 * @throws {@link InvalidAmount} if the number is malformed or has too many decimals
 *
 * @example
 * ```ts
 * await house.fundDeposit("1000");
 * await house.send(fundExitCall(addressBook, "250.5"));
 * console.log(formatAmount((await fundShareOf(house, alice.address)).requested, 12)); // → 250.5
 * ```
 */
export function fundExitCall(book: AddressBook, shares: string): Call {
  return toFund(book, fund.encodeFunctionData("requestExit", [parseAmount(shares, shareDecimals(book))]));
}

/**
 * Redeems shares of the insurance fund, as many as were asked for and their cooldown is over.
 *
 * @param book where the house is deployed
 * @param owner whose shares, the sender; the cash goes to him
 * @param shares such as "250.5"
 * @returns the call, to be sent on its own
 * @throws {@link InvalidAmount} if the number is malformed or has too many decimals
 *
 * @example
 * ```ts
 * await house.fundDeposit("1000");
 * await house.send(fundExitCall(addressBook, "1000"));
 * await passTime(3 * 86_400);
 * await house.send(fundRedeemCall(addressBook, alice.address, "1000"));
 * console.log((await fundShareOf(house, alice.address)).shares); // → 0n
 * ```
 */
export function fundRedeemCall(book: AddressBook, owner: string, shares: string): Call {
  const units = parseAmount(shares, shareDecimals(book));
  return toFund(book, fund.encodeFunctionData("redeem", [units, owner, owner]));
}

/**
 * Withdraws cash from the insurance fund for as many shares as it takes, which were asked for and their cooldown is over.
 *
 * @param book where the house is deployed
 * @param owner whose shares, the sender; the cash goes to him
 * @param amount such as "250"
 * @returns the call, to be sent on its own
 * @throws {@link InvalidAmount} if the amount is no decimal number, or has more decimals than the token
 *
 * @example
 * ```ts
 * await house.fundDeposit("1000");
 * await house.send(fundExitCall(addressBook, "1000"));
 * await passTime(3 * 86_400);
 * await house.send(fundWithdrawCall(addressBook, alice.address, "400"));
 * console.log(formatWad((await fundShareOf(house, alice.address)).value)); // → 600
 * ```
 */
export function fundWithdrawCall(book: AddressBook, owner: string, amount: string): Call {
  const units = parseAmount(amount, book.cash.decimals);
  return toFund(book, fund.encodeFunctionData("withdraw", [units, owner, owner]));
}

/**
 * The insurance fund at the latest block.
 *
 * @param house client of the house
 * @returns its cash and shares
 *
 * @example
 * ```ts
 * await house.fundDeposit("1000");
 * const { assets, cooldown } = await fundState(house);
 * console.log(formatWad(assets), cooldown); // → 1000 259200n
 * ```
 */
export async function fundState(house: Plimsoll): Promise<FundState> {
  const { insuranceFund, clearingHouse, addressBook } = house;
  const [assets, flaggedDeficit, shares, cooldown, exitWindow] = await Promise.all([
    insuranceFund.totalAssets(),
    clearingHouse.totalFlaggedDeficit(),
    insuranceFund.totalSupply(),
    insuranceFund.COOLDOWN(),
    insuranceFund.EXIT_WINDOW(),
  ]);
  return { assets: toWadDown(assets, addressBook.cash.decimals), flaggedDeficit, shares, cooldown, exitWindow };
}

/**
 * What somebody has in the insurance fund at the latest block.
 *
 * @param house client of the house
 * @param owner who is asked about
 * @returns his shares and his request to leave
 *
 * @example
 * ```ts
 * await house.fundDeposit("1000");
 * await house.send(fundExitCall(addressBook, "1000"));
 * const { redeemable, requested } = await fundShareOf(house, alice.address);
 * console.log(redeemable, requested > 0n); // → 0n true
 * ```
 */
export async function fundShareOf(house: Plimsoll, owner: string): Promise<FundShare> {
  const { insuranceFund, addressBook } = house;
  const [shares, request, redeemable] = await Promise.all([
    insuranceFund.balanceOf(owner),
    insuranceFund.exitRequest(owner),
    insuranceFund.maxRedeem(owner),
  ]);
  const value = toWadDown(await insuranceFund.previewRedeem(shares), addressBook.cash.decimals);
  const { shares: requested, availableAt, expiresAt } = request;
  return { shares, value, requested, availableAt, expiresAt, redeemable };
}

function toFund(book: AddressBook, data: string): Call {
  return { target: book.contracts.insuranceFund, data };
}
