/** What a column holds; amounts are kept as decimal texts. */
export type Value = string | number | null;

/** A row by column name. */
export type Row = Readonly<Record<string, Value>>;

/**
 * What runs SQL that SQLite and PostgreSQL both understand: parameters are `?`, columns TEXT, BIGINT or DOUBLE PRECISION, upserts
 * `ON CONFLICT`.
 */
export interface Statements {
  /** Runs a statement; resolves to the number of rows that it has changed. */
  run(sql: string, ...values: readonly Value[]): Promise<number>;
  /** The rows of a query. */
  all(sql: string, ...values: readonly Value[]): Promise<Row[]>;
  /** The rows of a query one by one, for those that are too many to hold, as they were when it began. */
  each(sql: string, ...values: readonly Value[]): AsyncIterable<Row>;
}

/**
 * Where a keeper keeps what must outlive it. What was run outside a transaction is on the disk when the promise resolves. Whatever
 * fails for a reason that an operator can mend throws a `DatabaseError`.
 */
export interface Database extends Statements {
  /** SQL of the time by the database's clock [ms since 1970], which is one for all who share it. */
  readonly now: string;
  /**
   * All that `work` runs by the statements that it is given, or, if it throws, nothing. One at a time among all who share the database.
   * Warning: what `work` calls on the database itself waits for the end of `work`.
   */
  transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** [ms] How long a statement waits for another process before it fails. */
export const PATIENCE = 5000;

/** What keeps a database from working until somebody mends it. The name never contains a password. */
export abstract class DatabaseError extends Error {
  readonly database: string;

  constructor(database: string, message: string, cause: unknown) {
    super(`${database}: ${message}`, { cause });
    this.name = new.target.name;
    this.database = database;
  }
}

/** What was to be written was not; what had been written is unharmed. */
export class DatabaseFull extends DatabaseError {
  constructor(database: string, cause: unknown) {
    super(
      database,
      "the disk is full, or this user's share of it: make room; nothing is kept and nothing sent until then",
      cause,
    );
  }
}

/** Somebody else has held the database for too long. */
export class DatabaseLocked extends DatabaseError {
  constructor(database: string, cause: unknown) {
    const message = `another process has held it for ${PATIENCE / 1000} s: end what hangs, or what backs it up, and try again`;
    super(database, message, cause);
  }
}

/** What is stored there cannot be read. */
export class DatabaseCorrupt extends DatabaseError {
  constructor(database: string, cause: unknown) {
    super(
      database,
      "it is damaged or no database: move it away and restore a backup, or begin with an empty one",
      cause,
    );
  }
}

/** It cannot be opened, reached or written. */
export class DatabaseUnreachable extends DatabaseError {
  constructor(database: string, cause: unknown) {
    const reason = cause instanceof Error && cause.message !== "" ? cause.message : String(cause);
    super(database, `cannot be used (${reason}): check that it is there, and that this user may write to it`, cause);
  }
}

/** A place that names no kind of database that is known. */
export class UnknownDatabase extends Error {
  readonly scheme: string;

  constructor(scheme: string) {
    super(`no database is known by "${scheme}": give a file, sqlite:FILE or postgres://USER@HOST/NAME`);
    this.name = "UnknownDatabase";
    this.scheme = scheme;
  }
}
