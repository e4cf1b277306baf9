import type { Database, Row, Statements } from "./database.ts";
import type { GivenUp, Lane, Mined, SentTransaction } from "./lane.ts";

const TABLES = [
  `CREATE TABLE IF NOT EXISTS sender_lanes (
    chain BIGINT NOT NULL, sender TEXT NOT NULL, nonce BIGINT NOT NULL, purpose TEXT NOT NULL, target TEXT NOT NULL,
    data TEXT NOT NULL, gas_limit TEXT NOT NULL, expected_gain TEXT, given_up TEXT, reason TEXT, hash TEXT, block BIGINT,
    block_hash TEXT, succeeded BIGINT, gas_used TEXT, gas_price TEXT, cost TEXT, final BIGINT NOT NULL, settled_at BIGINT,
    PRIMARY KEY (chain, sender, nonce))`,
  `CREATE TABLE IF NOT EXISTS sender_transactions (
    chain BIGINT NOT NULL, sender TEXT NOT NULL, nonce BIGINT NOT NULL, hash TEXT NOT NULL, raw TEXT NOT NULL, kind TEXT NOT NULL,
    max_fee TEXT NOT NULL, priority_fee TEXT NOT NULL, cost TEXT NOT NULL, time BIGINT NOT NULL,
    PRIMARY KEY (chain, sender, nonce, hash))`,
];
const FATE = ["given_up", "reason", "hash", "block", "block_hash", "succeeded", "gas_used", "gas_price", "cost"];
const CHANGING = [...FATE, "final", "settled_at"];
const LANE = ["purpose", "target", "data", "gas_limit", "expected_gain", ...CHANGING];
const OWN = "chain = ? AND sender = ?";

/** The transactions of one address on one chain as a database keeps them. */
export class Outbox {
  readonly #database: Database;
  readonly #own: readonly [number, string];

  private constructor(database: Database, chainId: number, sender: string) {
    this.#database = database;
    this.#own = [chainId, sender];
  }

  /** @throws DatabaseError */
  static async open(database: Database, chainId: number, sender: string): Promise<Outbox> {
    for (const table of TABLES) await database.run(table);
    return new Outbox(database, chainId, sender);
  }

  /** Everything that was not forgotten, by nonce. */
  async lanes(): Promise<Lane[]> {
    const rows = await this.#database.all(`SELECT * FROM sender_lanes WHERE ${OWN} ORDER BY nonce`, ...this.#own);
    const lanes = new Map(rows.map((row) => [Number(row.nonce), laneOf(row)]));
    const query = `SELECT * FROM sender_transactions WHERE ${OWN}`;
    for (const row of await this.#database.all(query, ...this.#own)) {
      lanes.get(Number(row.nonce))?.sent.push(sentOf(row));
    }
    // In the order of their signing, by fees: each is dearer than the one before, and a clock may have been set back.
    for (const { sent } of lanes.values()) sent.sort((a, b) => (a.maxFeePerGas < b.maxFeePerGas ? -1 : 1));
    return [...lanes.values()];
  }

  /** Keeps a new lane with its first transaction, in the place of what may have been written for that nonce and never left. */
  async open(lane: Lane, first: SentTransaction): Promise<void> {
    await this.#database.transaction(async (statements) => {
      const own = [...this.#own, lane.nonce] as const;
      for (const table of ["sender_lanes", "sender_transactions"]) {
        await statements.run(`DELETE FROM ${table} WHERE ${OWN} AND nonce = ?`, ...own);
      }
      const values = [lane.purpose, lane.call.target, lane.call.data, String(lane.gasLimit), textOf(lane.expectedGain)];
      const columns = ["chain", "sender", "nonce", ...LANE];
      const sql = `INSERT INTO sender_lanes (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
      await statements.run(sql, ...own, ...values, ...changing(lane));
      await this.#insert(statements, lane, first);
    });
  }

  /** Keeps one more transaction of a lane. */
  async add(lane: Lane, sent: SentTransaction): Promise<void> {
    await this.#insert(this.#database, lane, sent);
  }

  /** Keeps what has become of a lane. */
  async update(lane: Lane): Promise<void> {
    const set = CHANGING.map((column) => `${column} = ?`).join(", ");
    const sql = `UPDATE sender_lanes SET ${set} WHERE ${OWN} AND nonce = ?`;
    await this.#database.run(sql, ...changing(lane), ...this.#own, lane.nonce);
  }

  /** Forgets a lane. */
  async forget({ nonce }: Lane): Promise<void> {
    await this.#database.transaction(async (statements) => {
      for (const table of ["sender_transactions", "sender_lanes"]) {
        await statements.run(`DELETE FROM ${table} WHERE ${OWN} AND nonce = ?`, ...this.#own, nonce);
      }
    });
  }

  async #insert(statements: Statements, { nonce }: Lane, sent: SentTransaction): Promise<void> {
    const columns = "chain, sender, nonce, hash, raw, kind, max_fee, priority_fee, cost, time";
    const sql = `INSERT INTO sender_transactions (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`;
    const fees = [String(sent.maxFeePerGas), String(sent.maxPriorityFeePerGas), String(sent.cost)];
    await statements.run(sql, ...this.#own, nonce, sent.hash, sent.raw, sent.kind, ...fees, sent.time);
  }
}

/** The values of `CHANGING`. */
function changing({ givenUp, mined, final, settledAt }: Lane) {
  const receipt = mined && [mined.hash, mined.block, mined.blockHash, Number(mined.succeeded)];
  const spent = mined && [String(mined.gasUsed), String(mined.gasPrice), String(mined.cost)];
  return [
    ...[givenUp?.result ?? null, givenUp?.reason ?? null],
    ...(receipt ?? [null, null, null, null]),
    ...(spent ?? [null, null, null]),
    ...[Number(final), settledAt ?? null],
  ];
}

function laneOf(row: Row): Lane {
  return {
    nonce: Number(row.nonce),
    purpose: String(row.purpose),
    call: { target: String(row.target), data: String(row.data) },
    gasLimit: BigInt(String(row.gas_limit)),
    expectedGain: row.expected_gain === null ? undefined : BigInt(String(row.expected_gain)),
    sent: [],
    givenUp:
      row.given_up === null ? undefined : { result: row.given_up as GivenUp["result"], reason: String(row.reason) },
    mined: row.hash === null ? undefined : minedOf(row),
    final: Number(row.final) === 1,
    settledAt: row.settled_at === null ? undefined : Number(row.settled_at),
  };
}

function minedOf(row: Row): Mined {
  return {
    hash: String(row.hash),
    block: Number(row.block),
    blockHash: String(row.block_hash),
    succeeded: Number(row.succeeded) === 1,
    gasUsed: BigInt(String(row.gas_used)),
    gasPrice: BigInt(String(row.gas_price)),
    cost: BigInt(String(row.cost)),
  };
}

function sentOf(row: Row): SentTransaction {
  return {
    hash: String(row.hash),
    raw: String(row.raw),
    kind: row.kind === "cancel" ? "cancel" : "call",
    maxFeePerGas: BigInt(String(row.max_fee)),
    maxPriorityFeePerGas: BigInt(String(row.priority_fee)),
    cost: BigInt(String(row.cost)),
    time: Number(row.time),
  };
}

function textOf(amount: bigint | undefined): string | null {
  return amount === undefined ? null : String(amount);
}
