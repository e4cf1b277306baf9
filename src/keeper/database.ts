import { DatabaseSync } from "node:sqlite";
import type { SQLOutputValue, StatementSync } from "node:sqlite";

/** What a column holds; amounts are kept as decimal texts. */
export type Value = string | number | null;

/** A row by column name. */
export type Row = Readonly<Record<string, Value>>;

/**
 * Where a keeper keeps what must outlive it. The SQL is what SQLite and PostgreSQL both understand; parameters are `?`. What was run
 * outside a transaction is on the disk when the promise resolves.
 */
export interface Database {
  /** Runs a statement; resolves to the number of rows that it has changed. */
  run(sql: string, ...values: readonly Value[]): Promise<number>;
  /** The rows of a query. */
  all(sql: string, ...values: readonly Value[]): Promise<Row[]>;
  /** The rows of a query one by one, for those that are too many to hold. */
  each(sql: string, ...values: readonly Value[]): AsyncIterable<Row>;
  /** All that `work` runs, or, if it throws, nothing. One at a time. */
  transaction<T>(work: (database: Database) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** A database in one file, or in memory for `:memory:`. */
export class SqliteDatabase implements Database {
  readonly #file: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #busy: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#file = new DatabaseSync(path);
    this.#file.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000");
  }

  run(sql: string, ...values: readonly Value[]): Promise<number> {
    return attempt(() => Number(this.#statement(sql).run(...values).changes));
  }

  all(sql: string, ...values: readonly Value[]): Promise<Row[]> {
    return attempt(() =>
      this.#statement(sql)
        .all(...values)
        .map(rowOf),
    );
  }

  async *each(sql: string, ...values: readonly Value[]): AsyncIterable<Row> {
    for (const row of this.#statement(sql).iterate(...values)) yield Promise.resolve(rowOf(row));
  }

  transaction<T>(work: (database: Database) => Promise<T>): Promise<T> {
    const turn = this.#busy.then(() => this.#transact(work));
    this.#busy = turn.catch(() => undefined);
    return turn;
  }

  close(): Promise<void> {
    return attempt(() => {
      this.#file.close();
    });
  }

  async #transact<T>(work: (database: Database) => Promise<T>): Promise<T> {
    this.#file.exec("BEGIN IMMEDIATE");
    try {
      const result = await work(this);
      this.#file.exec("COMMIT");
      return result;
    } catch (error) {
      this.#file.exec("ROLLBACK");
      throw error;
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#file.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function attempt<T>(work: () => T): Promise<T> {
  return new Promise((resolve) => {
    resolve(work()); // what is thrown rejects
  });
}

function rowOf(row: Record<string, SQLOutputValue>): Row {
  return row as Row;
}
