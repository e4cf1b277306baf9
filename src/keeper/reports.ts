import type { Logger } from "pino";

import { hexOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { NodeIncomplete } from "../sdk/client.ts";
import type { Database, Row } from "./database.ts";
import { formatWad } from "../sdk/units.ts";
import { decodeReport, encodeReport } from "./report.ts";
import type { LiquidationReport } from "./report.ts";
import { ReportReader } from "./reportReader.ts";
import type { RawLog, ReportReaderOptions } from "./reportReader.ts";
import { shortMessage } from "./sender.ts";

const BLOCKS_PER_QUERY = 10_000;
const SAVE_EVERY = 256; // blocks, which are read again after a restart
const STATE_KEPT = 128; // blocks behind the head whose state every node has

export interface LiquidationReportsOptions extends ReportReaderOptions {
  readonly database: Database;
  readonly logger: Logger;
}

/**
 * Reports of all liquidations since the database's first keeper, one line each.
 *
 *     const reports = await LiquidationReports.open({ provider, addressBook, database, logger, gasUnderlying: "ETH" });
 *     await reports.follow(head, final, () => true); // beside the keeper's loop
 *     for await (const report of reports.all()) console.log(report.id, verifyReport(report));
 */
export class LiquidationReports {
  readonly #options: LiquidationReportsOptions;
  readonly #reader: ReportReader;
  /** The last block that need not be read again, and what the database says of it. */
  #read: number | undefined;
  #saved = -Infinity;

  private constructor(options: LiquidationReportsOptions) {
    this.#options = options;
    this.#reader = new ReportReader(options);
  }

  static async open(options: LiquidationReportsOptions): Promise<LiquidationReports> {
    const { database } = options;
    const columns = "id TEXT PRIMARY KEY, account TEXT NOT NULL, block BIGINT NOT NULL, block_hash TEXT NOT NULL";
    await database.transaction(async (statements) => {
      await statements.run(`CREATE TABLE IF NOT EXISTS liquidations (${columns}, report TEXT NOT NULL)`);
      await statements.run("CREATE INDEX IF NOT EXISTS liquidations_of ON liquidations (account, block)");
      await statements.run(
        "CREATE TABLE IF NOT EXISTS liquidations_read (id BIGINT PRIMARY KEY, block BIGINT NOT NULL)",
      );
    });
    return new LiquidationReports(options);
  }

  /**
   * Reports what is new on the chain and forgets what a reorganisation has dropped. What it cannot read it tries again at the next
   * call, until no node can be expected to know the state any more.
   * @param head the last block to read
   * @param final a block that no reorganisation drops
   * @param isIdle whether there is nothing else to do now; if not, the next call goes on
   * @throws whatever the node throws
   */
  async follow(head: number, final: number, isIdle: () => boolean): Promise<void> {
    const before = await this.#lastRead(final);
    const [first, last] = [before + 1, Math.min(before + BLOCKS_PER_QUERY, head)];
    if (last < first) return;
    const logs = await this.#reader.logs(first, last);
    const known = await this.#keep(first, last, logs);
    const failures: Error[] = [];
    for (const log of logs.filter((each) => !known.has(idOf(each)))) {
      if (!isIdle()) return;
      failures.push(...(await this.#tryRecord(log, head)));
    }
    if (failures[0] !== undefined) throw failures[0];
    await this.#haveRead(Math.max(before, Math.min(final, last)));
  }

  /**
   * Writes the report of a `Liquidated` event down, once.
   * @throws NodeIncomplete
   */
  async record(log: RawLog): Promise<LiquidationReport> {
    const report = await this.#reader.read(log);
    const { id, account, block } = report;
    const insert =
      "INSERT INTO liquidations (id, account, block, block_hash, report) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
    await this.#options.database.run(insert, id, hexOf(account), block, log.blockHash, encodeReport(report));
    return report;
  }

  /** All reports in the order of their blocks. */
  async *all(): AsyncIterable<LiquidationReport> {
    for await (const { report } of this.#options.database.each("SELECT report FROM liquidations ORDER BY block, id")) {
      yield decodeReport(String(report));
    }
  }

  /** The newest reports, or those of an account, the newest first. */
  async newest(limit: number, account?: AccountId): Promise<LiquidationReport[]> {
    const [where, values] = account === undefined ? ["", []] : ["WHERE account = ?", [hexOf(account)]];
    const query = `SELECT report FROM liquidations ${where} ORDER BY block DESC, id LIMIT ?`;
    return decodeAll(await this.#options.database.all(query, ...values, limit));
  }

  /** The report of an id, or those of a transaction. */
  async find(name: string): Promise<LiquidationReport[]> {
    const query = "SELECT report FROM liquidations WHERE id = ? OR id LIKE ? ORDER BY id";
    return decodeAll(await this.#options.database.all(query, name, `${name}:%`));
  }

  /** The last block that need not be read again. */
  async #lastRead(final: number): Promise<number> {
    if (this.#read !== undefined) return this.#read;
    const [row] = await this.#options.database.all("SELECT block FROM liquidations_read");
    if (row === undefined) await this.#haveRead(final);
    else this.#read = this.#saved = Number(row.block);
    return this.#read ?? final;
  }

  async #haveRead(block: number): Promise<void> {
    this.#read = block;
    if (block - this.#saved < SAVE_EVERY) return;
    this.#saved = block;
    await this.#options.database.run(
      "INSERT INTO liquidations_read (id, block) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET block = excluded.block",
      block,
    );
  }

  /** Forgets the reports of some blocks except those of `logs`; returns the ids of these. */
  async #keep(first: number, last: number, logs: readonly RawLog[]): Promise<Set<string>> {
    const { database } = this.#options;
    const hashes = new Map(logs.map((log) => [idOf(log), log.blockHash]));
    const query = "SELECT id, block_hash FROM liquidations WHERE block >= ? AND block <= ?";
    const kept = new Set<string>();
    for (const { id, block_hash: hash } of await database.all(query, first, last)) {
      if (hashes.get(String(id)) === hash) kept.add(String(id));
      else await database.run("DELETE FROM liquidations WHERE id = ?", id ?? null);
    }
    return kept;
  }

  /** Returns why it failed, if there is any use in trying again. */
  async #tryRecord(log: RawLog, head: number): Promise<Error[]> {
    const { logger } = this.#options;
    try {
      const { id, profit, outcome } = await this.record(log);
      logger.info({ id, profit: formatWad(profit), cost: formatWad(outcome.cost) }, "liquidation reported");
      return [];
    } catch (error) {
      const reason = shortMessage(error);
      if (head - log.blockNumber < STATE_KEPT) return [error instanceof Error ? error : new NodeIncomplete(reason)];
      logger.warn({ id: idOf(log), reason }, "a liquidation cannot be reported: the node has no state so old");
      return [];
    }
  }
}

function idOf({ transactionHash, index }: RawLog): string {
  return `${transactionHash}:${index}`;
}

function decodeAll(rows: readonly Row[]): LiquidationReport[] {
  return rows.map(({ report }) => decodeReport(String(report)));
}
