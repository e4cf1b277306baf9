import type { Database } from "./database.ts";

/** Who takes leases, and for how long. */
export interface LeaseTerms {
  /** Names this process and no other, so one that is started again waits for what it held before. */
  readonly holder: string;
  /** [ms] After it, by the clock of the database, what was not taken again is free. */
  readonly lifetime: number;
}

/**
 * Who of several keepers with one database does which work. Warning: a process that stalls for longer than the lifetime has lost its
 * leases without noticing; so take again directly before acting.
 */
export class Leases {
  readonly #database: Database;
  readonly #terms: LeaseTerms;

  private constructor(database: Database, terms: LeaseTerms) {
    this.#database = database;
    this.#terms = terms;
  }

  static async open(database: Database, terms: LeaseTerms): Promise<Leases> {
    const table = "lease (name TEXT PRIMARY KEY, holder TEXT NOT NULL, expires BIGINT NOT NULL)"; // [ms]
    // In a transaction, because PostgreSQL fails if two create it at once.
    await database.transaction((statements) => statements.run(`CREATE TABLE IF NOT EXISTS ${table}`));
    return new Leases(database, terms);
  }

  /** Takes or prolongs the lease of a piece of work; resolves to whether this holder has it now. */
  async take(name: string): Promise<boolean> {
    const { now } = this.#database;
    const { holder, lifetime } = this.#terms;
    const taken = await this.#database.run(
      `INSERT INTO lease (name, holder, expires) VALUES (?, ?, ${now} + ?)
       ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires = excluded.expires
       WHERE lease.holder = excluded.holder OR lease.expires <= ${now}`,
      ...[name, holder, lifetime],
    );
    return taken === 1;
  }

  /** Gives a lease back, if this holder has it. */
  async release(name: string): Promise<void> {
    await this.#database.run("DELETE FROM lease WHERE name = ? AND holder = ?", name, this.#terms.holder);
  }
}
