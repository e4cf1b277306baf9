import type { LedgerAccount, LedgerState } from "../../src/keeper/ledger.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { AccountMap } from "../../src/sdk/accountMap.ts";
import { parseAddressBook } from "../../src/sdk/addressBook.ts";

const ACCOUNTS = 300;

function address(serial: number): string {
  return `0x${serial.toString(16).padStart(40, "0")}`;
}

const places = ["accessManager", "vault", "clearingHouse", "exchange", "riskEngine", "priceOracle", "insuranceFund"];

/** An address book of a house that is nowhere. */
export const book = parseAddressBook({
  ...{ chainId: 1, deployBlock: 0, underlyings: [], markets: [], collaterals: [] },
  contracts: Object.fromEntries(places.map((place, i) => [place, address(i + 1)])),
  cash: { symbol: "USDC", token: address(100), decimals: 6, mock: true },
});

/** What stands in the checkpoint after block `number`: every account says in which block it changed last. */
export function stateAt(number: number, isIncrement = false): LedgerState {
  const accounts = new AccountMap<LedgerAccount>();
  for (let i = 0; i < ACCOUNTS; ++i) {
    const touchedBy = isIncrement ? i % 3 === number % 3 : true;
    if (touchedBy) accounts.set(accountId(address(1000 + i)), accountAt(lastChange(i, number), i));
  }
  return { block: { number, hash: `0x${number.toString(16)}` }, totals: totalsAt(number), accounts };
}

/** All change in the first block, then a third of them in each. */
function lastChange(i: number, number: number): number {
  const back = (((number - i) % 3) + 3) % 3;
  return Math.max(1, number - back);
}

function accountAt(block: number, i: number): LedgerAccount {
  const n = BigInt(block);
  return {
    cash: n * 10n ** 18n + BigInt(i),
    lentShares: i % 2 === 0 ? n : 0n,
    debtShares: i % 5 === 0 ? n : 0n,
    positions: new Map(i % 3 === 0 ? [[1, { size: -n, quote: n * 2n ** 90n }]] : []),
    collaterals: new Map(i % 4 === 0 ? [[2, n]] : []),
    flagged: i % 7 === 0,
    cashCallClock: i % 11 === 0 ? n : 0n,
    cure: i % 13 === 0 ? { deposit: n, market: 3, size: -n } : undefined,
  };
}

function totalsAt(block: number): LedgerState["totals"] {
  return {
    ...{ insuranceFund: 1n << 200n, treasury: 1n << 201n },
    fees: new Map([[0, BigInt(block)]]),
    collateralOf: new Map([[address(200), 2]]),
  };
}
