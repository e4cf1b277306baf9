import pg from "pg";

import { DatabaseCorrupt, DatabaseFull, DatabaseLocked, DatabaseUnreachable, PATIENCE } from "./database.ts";
import type { Database, DatabaseError, Row, Statements, Value } from "./database.ts";

const CONNECTIONS = 4;
const ANSWER_TIME = 30_000; // [ms] that no statement takes
const BATCH = 1000; // rows fetched at once by `each`
const WRITERS = 0x706c_696d; // "plim": the advisory lock of who is in a transaction

/** Types that are read as numbers: BIGINT and counts, SMALLINT, INTEGER, REAL, DOUBLE PRECISION, and NUMERIC, which sums are. */
const NUMBERS: readonly number[] = [20, 21, 23, 700, 701, 1700];

/** By SQLSTATE, or the beginning of one. */
const ERRORS: readonly (readonly [code: string, kind: new (database: string, cause: unknown) => DatabaseError])[] = [
  ["53100", DatabaseFull],
  ["55P03", DatabaseLocked],
  ["XX001", DatabaseCorrupt],
  ["XX002", DatabaseCorrupt],
  ["08", DatabaseUnreachable], // connection exceptions
  ["25006", DatabaseUnreachable], // read only
  ["28", DatabaseUnreachable], // wrong user or password
  ["3D", DatabaseUnreachable], // no database of this name
  ["42501", DatabaseUnreachable], // insufficient privilege
  ["53", DatabaseUnreachable], // too many connections
  ["57P", DatabaseUnreachable], // the server starts or stops
];

/**
 * A database that a PostgreSQL server keeps, for several keepers on several machines. Warning: if the connection breaks during the
 * COMMIT of a transaction, it may have happened.
 */
export class PostgresDatabase implements Database {
  readonly now = "CAST(extract(epoch FROM now()) * 1000 AS BIGINT)";
  readonly #name: string;
  readonly #pool: pg.Pool;
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * @param url such as `postgres://keeper:password@localhost/keeper`
   * @param answerTime [ms] after which a connection that does not answer counts as broken
   * @throws DatabaseUnreachable
   */
  constructor(url: string, answerTime = ANSWER_TIME) {
    const { host, pathname } = URL.parse(url) ?? malformed(); // what `new URL` throws quotes the password
    this.#name = `${host}${pathname}`;
    this.#pool = new pg.Pool({
      ...{ connectionString: url, max: CONNECTIONS, connectionTimeoutMillis: PATIENCE, lock_timeout: PATIENCE },
      ...{ query_timeout: answerTime, keepAlive: true, types: { getTypeParser } },
    });
    // A connection that breaks tells its statements; without one the next opens another.
    this.#pool.on("error", () => undefined);
    this.#pool.on("connect", (client) => client.on("error", () => undefined));
  }

  run(sql: string, ...values: readonly Value[]): Promise<number> {
    return this.#connected((connection) => connection.run(sql, ...values));
  }

  all(sql: string, ...values: readonly Value[]): Promise<Row[]> {
    return this.#connected((connection) => connection.all(sql, ...values));
  }

  async *each(sql: string, ...values: readonly Value[]): AsyncIterable<Row> {
    const client = await this.#connect();
    const connection = new Connection(this.#name, client);
    try {
      yield* connection.each(sql, ...values);
    } finally {
      client.release(connection.isBroken);
    }
  }

  transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T> {
    const turn = this.#turn.then(() => this.#connected((connection) => transact(connection, work)));
    this.#turn = turn.catch(() => undefined); // one at a time takes one connection only
    return turn;
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  async #connected<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    const connection = new Connection(this.#name, client);
    try {
      return await work(connection);
    } finally {
      client.release(connection.isBroken);
    }
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw typed(this.#name, error);
    }
  }
}

async function transact<T>(connection: Connection, work: (statements: Statements) => Promise<T>): Promise<T> {
  await connection.run("BEGIN");
  try {
    await connection.all("SELECT pg_advisory_xact_lock(?)", WRITERS);
    const result = await work(connection);
    await connection.run("COMMIT");
    return result;
  } catch (error) {
    if (!connection.isBroken) await connection.run("ROLLBACK").catch(() => undefined); // a broken one has rolled back
    throw error;
  }
}

/** One connection to a server: what runs on it sees and joins its transaction. */
class Connection implements Statements {
  static #cursors = 0;
  /** It is of no use to anybody any more. */
  isBroken = false;
  readonly #name: string;
  readonly #client: pg.PoolClient;

  constructor(name: string, client: pg.PoolClient) {
    this.#name = name;
    this.#client = client;
  }

  async run(sql: string, ...values: readonly Value[]): Promise<number> {
    return (await this.#query(sql, values)).rowCount ?? 0;
  }

  async all(sql: string, ...values: readonly Value[]): Promise<Row[]> {
    return (await this.#query(sql, values)).rows;
  }

  async *each(sql: string, ...values: readonly Value[]): AsyncIterable<Row> {
    const cursor = `each_${(Connection.#cursors += 1)}`; // held, so that it needs no transaction
    await this.#query(`DECLARE ${cursor} NO SCROLL CURSOR WITH HOLD FOR ${sql}`, values);
    try {
      for (let more = true; more;) {
        const rows = await this.all(`FETCH ${BATCH} FROM ${cursor}`);
        yield* rows;
        more = rows.length === BATCH;
      }
    } finally {
      if (!this.isBroken) await this.run(`CLOSE ${cursor}`).catch(() => undefined); // a failed transaction has closed it
    }
  }

  async #query(sql: string, values: readonly Value[]): Promise<pg.QueryResult<Row>> {
    try {
      return await this.#client.query<Row>(numbered(sql), [...values]);
    } catch (error) {
      const found = typed(this.#name, error);
      this.isBroken ||= found instanceof DatabaseUnreachable;
      throw found;
    }
  }
}

/** @throws DatabaseUnreachable */
function malformed(): never {
  const problem = "malformed address: write / # ? and % in a password as %2F %23 %3F and %25";
  throw new DatabaseUnreachable("PostgreSQL", problem);
}

/** The same statement with `$1`, `$2`, … for every `?` that stands outside texts, names and comments. */
function numbered(sql: string): string {
  let count = 0;
  return sql.replace(/'[^']*'|"[^"]*"|--.*|\?/g, (part) => (part === "?" ? `$${(count += 1)}` : part));
}

/** Counts and times are numbers, as SQLite gives them; nothing else than texts, numbers and nulls is ever asked for. */
function getTypeParser(type: number): (text: string) => Value {
  return NUMBERS.includes(type) ? Number : (text) => text;
}

/** What a server says by its code; whatever else fails is the connection. */
function typed(name: string, error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return new DatabaseUnreachable(name, error);
  const Kind = ERRORS.find(([code]) => error.code?.startsWith(code))?.[1];
  return Kind === undefined ? error : new Kind(name, error);
}
