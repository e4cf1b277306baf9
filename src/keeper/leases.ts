import type { Database } from "./database.ts";

const STEP = 1000; // [ms] what was taken later than that from now was taken before the clock was set back
const DAY = 86_400_000; // [ms] after which a lease that has ended is forgotten

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
  /** How many pieces of work each lease is held for, and the last block that one has ended in. */
  readonly #held = new Map<string, { works: number; block: number }>();
  /** Those that are being given back. */
  readonly #leaving = new Map<string, Promise<void>>();
  #prolonging: NodeJS.Timeout | undefined;

  private constructor(database: Database, terms: LeaseTerms) {
    this.#database = database;
    this.#terms = terms;
  }

  static async open(database: Database, terms: LeaseTerms): Promise<Leases> {
    const table =
      "leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, taken BIGINT NOT NULL, expires BIGINT NOT NULL, block BIGINT NOT NULL)"; // [ms]
    // In a transaction, because PostgreSQL fails if two create it at once.
    await database.transaction((statements) => statements.run(`CREATE TABLE IF NOT EXISTS ${table}`));
    const leases = new Leases(database, terms);
    await leases.tidy();
    return leases;
  }

  /** Forgets leases that have ended long ago: every piece of work leaves one behind. */
  async tidy(): Promise<void> {
    await this.#database.run(`DELETE FROM leases WHERE expires < ${this.#database.now} - ?`, DAY);
  }

  /**
   * Does work that no other holder is at, and keeps its lease until it has ended.
   * @param head the block that the work was decided at
   * @returns `undefined` if another holder has the lease, or has had it and ended such work in a block after `head`
   */
  async hold<T extends { readonly block?: number }>(
    name: string,
    head: number,
    work: () => Promise<T>,
  ): Promise<T | undefined> {
    await this.#leaving.get(name); // what is given back after it was taken again is lost
    if (!(await this.take(name, head))) return undefined;
    const held = this.#held.get(name) ?? { works: 0, block: head };
    this.#held.set(name, held);
    held.works += 1;
    this.#prolonging ??= setInterval(() => void this.#prolong(), this.#terms.lifetime / 3).unref();
    try {
      const done = await work();
      held.block = Math.max(held.block, done.block ?? 0);
      return done;
    } finally {
      held.works -= 1;
      if (held.works === 0) this.#letGo(name, held.block);
    }
  }

  /** Takes or prolongs the lease of a piece of work; resolves to whether this holder has it now. */
  async take(name: string, head = 0): Promise<boolean> {
    const { now } = this.#database;
    const { holder, lifetime } = this.#terms;
    const taken = await this.#database.run(
      `INSERT INTO leases (name, holder, taken, expires, block) VALUES (?, ?, ${now}, ${now} + ?, ?)
       ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, taken = excluded.taken, expires = excluded.expires
       WHERE leases.holder = excluded.holder OR (
         (leases.expires <= ${now} OR leases.taken > ${now} + ${STEP}) AND leases.block <= excluded.block)`,
      ...[name, holder, lifetime, head],
    );
    return taken === 1;
  }

  /** Gives a lease back, if this holder has it, to who has read the block that its work has ended in. */
  async release(name: string, block = 0): Promise<void> {
    const { now } = this.#database;
    const sql = `UPDATE leases SET expires = ${now}, block = ? WHERE name = ? AND holder = ?`;
    await this.#database.run(sql, block, name, this.#terms.holder);
  }

  #letGo(name: string, block: number): void {
    this.#held.delete(name);
    if (this.#held.size === 0) {
      clearInterval(this.#prolonging);
      this.#prolonging = undefined;
    }
    const released = this.release(name, block).catch(() => undefined); // what is not given back lapses
    this.#leaving.set(
      name,
      released.finally(() => this.#leaving.delete(name)),
    );
  }

  async #prolong(): Promise<void> {
    const { now } = this.#database;
    const { holder, lifetime } = this.#terms;
    const sql = `UPDATE leases SET taken = ${now}, expires = ${now} + ? WHERE holder = ? AND expires > ${now}`;
    await this.#database.run(sql, lifetime, holder).catch(() => undefined); // the next time, or they lapse
  }
}
