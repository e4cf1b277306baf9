import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { deserialize, serialize } from "node:v8";

import type { Transaction } from "./chain.ts";
import { StateBroken, StateForeign } from "./errors.ts";
import type { RunResult } from "./result.ts";

const FORMAT = "plimsoll replay 2";

/** A block as it was mined. */
export interface JournalBlock {
  readonly time: number; // [s]
  readonly transactions: readonly Transaction[];
}

/** Where a run stood at the end of a minute. */
export interface Checkpoint<State> {
  /** of the next minute */
  readonly minute: number;
  /** of the last block */
  readonly hash: string;
  readonly state: State;
}

/**
 * The state of a run in one SQLite file: every block, and what the lab itself remembered when it was last saved. Blocks and memory are
 * saved together or not at all, so whatever happens the file leads to a minute from which the run goes on.
 */
export class Journal<State> {
  readonly #file: string;
  readonly #database: DatabaseSync;
  #unsaved: JournalBlock[] = [];

  /**
   * @param run what tells it from other runs, such as a hash
   * @throws StateForeign, StateBroken
   */
  constructor(file: string, run: string) {
    this.#file = file;
    const isNew = !existsSync(file);
    this.#database = new DatabaseSync(file);
    try {
      this.#database.exec("PRAGMA synchronous = FULL");
      if (isNew) this.#create(run);
      const [format, found] = [this.#fact("format"), this.#fact("run")];
      if (format !== FORMAT) throw new StateBroken(file, `it is no state of "${FORMAT}"`);
      if (found !== run && this.#hasBegun) throw new StateForeign(file, String(found), run);
      if (found !== run) this.#database.prepare("UPDATE fact SET value = ? WHERE name = 'run'").run(run);
    } catch (error) {
      this.#database.close();
      if (error instanceof StateForeign || error instanceof StateBroken) throw error;
      throw new StateBroken(file, error instanceof Error ? error.message : String(error));
    }
  }

  /** What a finished run has shown. */
  get result(): RunResult | undefined {
    const text = this.#fact("result");
    return text === undefined ? undefined : (JSON.parse(text) as RunResult);
  }

  /** Where to go on. */
  get checkpoint(): Checkpoint<State> | undefined {
    const row = this.#database.prepare("SELECT minute, hash, state FROM checkpoint").get();
    if (row === undefined) return undefined;
    const { minute, hash, state } = row as { minute: number; hash: string; state: Uint8Array };
    return { minute, hash, state: deserialize(state) as State };
  }

  /** The blocks up to the checkpoint. */
  *blocks(): Iterable<JournalBlock> {
    for (const row of this.#database.prepare("SELECT time, transactions FROM block ORDER BY number").iterate()) {
      const { time, transactions } = row as { time: number; transactions: string };
      yield { time, transactions: JSON.parse(transactions) as Transaction[] };
    }
  }

  add(block: JournalBlock): void {
    this.#unsaved.push(block);
  }

  save({ minute, hash, state }: Checkpoint<State>): void {
    this.#together(() => {
      const insert = this.#database.prepare("INSERT INTO block (time, transactions) VALUES (?, ?)");
      for (const { time, transactions } of this.#unsaved) insert.run(time, JSON.stringify(transactions));
      this.#database.exec("DELETE FROM checkpoint");
      const keep = this.#database.prepare("INSERT INTO checkpoint (minute, hash, state) VALUES (?, ?, ?)");
      keep.run(minute, hash, serialize(state));
    });
    this.#unsaved = [];
  }

  /** Keeps the result, and nothing else. */
  finish(result: RunResult): void {
    this.#together(() => {
      this.#database.exec("DELETE FROM block; DELETE FROM checkpoint");
      this.#database.prepare("INSERT INTO fact (name, value) VALUES ('result', ?)").run(JSON.stringify(result));
    });
    this.#database.exec("VACUUM");
  }

  /** A file that does not lead where it says. */
  broken(reason: string): StateBroken {
    return new StateBroken(this.#file, reason);
  }

  close(): void {
    this.#database.close();
  }

  /** A run that failed before its first checkpoint has left nothing to lose. */
  get #hasBegun(): boolean {
    return this.checkpoint !== undefined || this.result !== undefined;
  }

  #create(run: string): void {
    this.#together(() => {
      this.#database.exec("CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL)");
      this.#database.exec("CREATE TABLE block (number INTEGER PRIMARY KEY, time INTEGER, transactions TEXT)");
      this.#database.exec("CREATE TABLE checkpoint (minute INTEGER, hash TEXT, state BLOB)");
      const insert = this.#database.prepare("INSERT INTO fact (name, value) VALUES (?, ?)");
      insert.run("format", FORMAT);
      insert.run("run", run);
    });
  }

  #fact(name: string): string | undefined {
    const row = this.#database.prepare("SELECT value FROM fact WHERE name = ?").get(name);
    return row?.value as string | undefined;
  }

  #together(work: () => void): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      work();
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}
