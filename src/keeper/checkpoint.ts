import { hexOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import type { Database, Statements } from "./database.ts";
import { EMPTY_ACCOUNT } from "./ledger.ts";
import type { BlockRef, LedgerAccount, LedgerState, Totals } from "./ledger.ts";

const TABLES = [
  "CREATE TABLE IF NOT EXISTS checkpoint (id BIGINT PRIMARY KEY, block BIGINT NOT NULL, header TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS checkpoint_account (id TEXT PRIMARY KEY, state TEXT NOT NULL)",
];

/** The database holds the accounts of another house. */
export class ForeignCheckpoint extends Error {
  readonly chainId: number;
  readonly clearingHouse: string;

  constructor(chainId: number, clearingHouse: string, book: AddressBook) {
    super(
      `the database holds a checkpoint of ${clearingHouse} on chain ${chainId}, not of ` +
        `${book.contracts.clearingHouse} on chain ${book.chainId}: give every house a database of its own`,
    );
    this.name = "ForeignCheckpoint";
    this.chainId = chainId;
    this.clearingHouse = clearingHouse;
  }
}

/** What a header says, amounts as decimal texts. */
interface Header {
  readonly chainId: number;
  readonly clearingHouse: string;
  readonly hash: string;
  readonly insuranceFund: string;
  readonly treasury: string;
  readonly fees: readonly (readonly [market: number, amount: string])[];
  readonly tokens: readonly (readonly [token: string, collateral: number])[];
}

/** What a row says of an account, amounts as decimal texts; what is empty is left out. */
interface AccountRow {
  readonly cash: string;
  readonly lentShares?: string;
  readonly debtShares?: string;
  readonly positions?: readonly (readonly [market: number, size: string, quote: string])[];
  readonly collaterals?: readonly (readonly [collateral: number, amount: string])[];
  readonly flagged?: true;
  readonly cashCallClock?: string;
  readonly cure?: readonly [deposit: string, market: number, size: string];
}

/** The ledger at the end of a block, in a database: what a restart begins with. It is there whole or not at all. */
export class Checkpoint {
  readonly #database: Database;
  readonly #book: AddressBook;

  private constructor(database: Database, book: AddressBook) {
    this.#database = database;
    this.#book = book;
  }

  static async open(database: Database, book: AddressBook): Promise<Checkpoint> {
    for (const table of TABLES) await database.run(table);
    return new Checkpoint(database, book);
  }

  /** What was saved last. @throws ForeignCheckpoint */
  async load(): Promise<LedgerState | undefined> {
    return this.#database.transaction(async (statements) => {
      const [row] = await statements.all("SELECT block, header FROM checkpoint");
      if (row === undefined) return undefined;
      const header = JSON.parse(String(row.header)) as Header;
      const { chainId, clearingHouse } = header;
      if (chainId !== this.#book.chainId || clearingHouse !== this.#book.contracts.clearingHouse) {
        throw new ForeignCheckpoint(chainId, clearingHouse, this.#book);
      }
      const accounts = new AccountMap<LedgerAccount>();
      for await (const { id, state } of statements.each("SELECT id, state FROM checkpoint_account")) {
        accounts.set(BigInt(String(id)), accountOf(String(state)));
      }
      return { block: { number: Number(row.block), hash: header.hash }, totals: totalsOf(header), accounts };
    });
  }

  /**
   * Brings the checkpoint up to a block: `accounts` are those that have changed since the block `since`, or all of them if there is none.
   * @returns whether it was saved; not so if another keeper has brought the checkpoint further, or not as far as `since`
   */
  async save({ block, totals, accounts }: LedgerState, since: BlockRef | undefined): Promise<boolean> {
    const header = JSON.stringify(this.#headerOf(block, totals));
    return this.#database.transaction(async (statements) => {
      if (since === undefined) {
        await statements.run("DELETE FROM checkpoint_account");
        await statements.run("DELETE FROM checkpoint");
        await statements.run("INSERT INTO checkpoint (id, block, header) VALUES (1, ?, ?)", block.number, header);
      } else {
        const update = "UPDATE checkpoint SET block = ?, header = ? WHERE block BETWEEN ? AND ?";
        if ((await statements.run(update, block.number, header, since.number, block.number)) === 0) return false;
      }
      for (const [id, account] of accounts) await writeAccount(statements, id, account);
      return true;
    });
  }

  #headerOf(block: BlockRef, { insuranceFund, treasury, fees, collateralOf }: Totals): Header {
    return {
      chainId: this.#book.chainId,
      clearingHouse: this.#book.contracts.clearingHouse,
      hash: block.hash,
      insuranceFund: insuranceFund.toString(),
      treasury: treasury.toString(),
      fees: [...fees].map(([market, amount]) => [market, amount.toString()]),
      tokens: [...collateralOf],
    };
  }
}

async function writeAccount(statements: Statements, id: AccountId, account: LedgerAccount): Promise<void> {
  const write =
    "INSERT INTO checkpoint_account (id, state) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state";
  await statements.run(write, hexOf(id), JSON.stringify(rowOf(account)));
}

function totalsOf({ insuranceFund, treasury, fees, tokens }: Header): Totals {
  return {
    insuranceFund: BigInt(insuranceFund),
    treasury: BigInt(treasury),
    fees: new Map(fees.map(([market, amount]) => [market, BigInt(amount)])),
    collateralOf: new Map(tokens),
  };
}

function rowOf(account: LedgerAccount): AccountRow {
  const { cash, lentShares, debtShares, positions, collaterals, flagged, cashCallClock, cure } = account;
  return {
    cash: cash.toString(),
    ...(lentShares !== 0n && { lentShares: lentShares.toString() }),
    ...(debtShares !== 0n && { debtShares: debtShares.toString() }),
    ...(positions.size !== 0 && {
      positions: [...positions].map(
        ([market, { size, quote }]) => [market, size.toString(), quote.toString()] as const,
      ),
    }),
    ...(collaterals.size !== 0 && {
      collaterals: [...collaterals].map(([collateral, amount]) => [collateral, amount.toString()] as const),
    }),
    ...(flagged && { flagged }),
    ...(cashCallClock !== 0n && { cashCallClock: cashCallClock.toString() }),
    ...(cure !== undefined && { cure: [cure.deposit.toString(), cure.market, cure.size.toString()] as const }),
  };
}

function accountOf(text: string): LedgerAccount {
  const { cash, lentShares, debtShares, positions, collaterals, flagged, cashCallClock, cure } = JSON.parse(
    text,
  ) as AccountRow;
  return {
    cash: BigInt(cash),
    lentShares: BigInt(lentShares ?? 0),
    debtShares: BigInt(debtShares ?? 0),
    positions:
      positions === undefined
        ? EMPTY_ACCOUNT.positions
        : new Map(positions.map(([market, size, quote]) => [market, { size: BigInt(size), quote: BigInt(quote) }])),
    collaterals:
      collaterals === undefined
        ? EMPTY_ACCOUNT.collaterals
        : new Map(collaterals.map(([collateral, amount]) => [collateral, BigInt(amount)])),
    flagged: flagged ?? false,
    cashCallClock: BigInt(cashCallClock ?? 0),
    cure: cure === undefined ? undefined : { deposit: BigInt(cure[0]), market: cure[1], size: BigInt(cure[2]) },
  };
}
