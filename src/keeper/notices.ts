import { createHash } from "node:crypto";
import { setImmediate as immediate } from "node:timers/promises";

import type { Logger } from "pino";

import { discount } from "../risk/auction.ts";
import { PPM, WAD } from "../risk/fixed.ts";
import type { Assessment } from "../risk/types.ts";
import { hexOf, ownerOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { AccountMap } from "../sdk/accountMap.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { cureText, inUsd, nameOf, pricesJson, stuckNote } from "../sdk/explain.ts";
import type { CureText, Explanation } from "../sdk/explain.ts";
import { formatWad } from "../sdk/units.ts";
import { NoticeNotTaken } from "./channels.ts";
import type { NoticeChannel } from "./channels.ts";
import type { Database, Row, Statements } from "./database.ts";
import type { Metrics } from "./metrics.ts";
import { pause } from "./pause.ts";

const FIRST_PAUSE = 5_000; // [ms] after a failed attempt; each later one is twice as long
const LONGEST_PAUSE = 3_600_000; // [ms]
const MAX_ATTEMPTS = 20; // some twelve hours
const CLAIM = 60_000; // [ms] for which a delivery belongs to who attempts it
const LOOK_INTERVAL = 1_000; // [ms] between two looks for deliveries that are due
const FULL_CLOCK = 180n; // [s] of an auction, when its discount is largest
const BATCH = 50; // notices that are written down at once
const MAX_DUE = 1_000; // deliveries of one look

/** marginCall: MM ≤ E < IM. liquidatable: E < MM. */
export type NoticeKind = "marginCall" | "liquidatable";

/** What an owner is told; what every channel sends is made of this. Amounts are exact decimal texts. */
export interface Notice {
  /** The same however often it is delivered. */
  readonly id: string;
  readonly kind: NoticeKind;
  readonly account: string;
  readonly owner: string;
  readonly block: number;
  /** [s] */
  readonly time: number;
  readonly equity: string;
  readonly initialMargin: string;
  readonly maintenanceMargin: string;
  /** IM − E */
  readonly shortfall: string;
  /** Any one of the deposits, or the trade, is enough at the present prices. */
  readonly cure: CureText;
  /** By underlying: the present price, and those at which it is liquidatable, or not any more. */
  readonly prices: readonly object[];
  readonly subject: string;
  readonly text: string;
}

export interface NoticePolicy {
  /** [ppm] of the shortfall that was told last: by how much it must be exceeded for another notice. */
  readonly growth: bigint;
}

export interface NoticeDeskOptions {
  readonly database: Database;
  readonly channels: readonly NoticeChannel[];
  readonly addressBook: AddressBook;
  readonly policy: NoticePolicy;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Something that is to be written down: a notice that is due, or the end of an episode. */
type Entry = Due | { readonly ended: AccountId };

interface Due {
  readonly account: AccountId;
  readonly kind: NoticeKind;
  readonly shortfall: bigint; // [wad]
  readonly told: bigint | undefined; // [wad] the shortfall of the last notice of the episode
  readonly explain: () => Explanation;
}

/** Shortfall [wad] that was told last, by kind of notice. */
type Episode = Map<NoticeKind, bigint>;

/**
 * Tells owners that their accounts are below IM or MM: once for each account, kind and episode, and again if the shortfall has grown.
 * An episode ends at E ≥ IM. `see` only remembers; a queue beside the keeper's loop writes notices down and delivers them, each
 * channel at its own pace, at least once.
 *
 *     const desk = await NoticeDesk.open({ database, channels, addressBook, policy, metrics, logger });
 *     desk.see(id, assessment, () => explain(subject)); // at every assessment
 *     await desk.close();
 */
export class NoticeDesk {
  readonly #options: NoticeDeskOptions;
  readonly #channels: ReadonlyMap<string, NoticeChannel>;
  readonly #episodes: AccountMap<Episode>;
  readonly #inbox: Entry[] = [];
  readonly #busy = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();
  readonly #working: Promise<void>;

  private constructor(options: NoticeDeskOptions, episodes: AccountMap<Episode>) {
    this.#options = options;
    this.#channels = new Map(options.channels.map((channel) => [channel.name, channel]));
    this.#episodes = episodes;
    this.#working = this.#work();
  }

  /** Opens the desk with the episodes and deliveries that the database holds. */
  static async open(options: NoticeDeskOptions): Promise<NoticeDesk> {
    const { database } = options;
    for (const table of TABLES) await database.run(table);
    const episodes = new AccountMap<Episode>();
    for await (const { account, kind, shortfall } of database.each("SELECT * FROM notice_episodes")) {
      const id = BigInt(String(account));
      const episode = episodes.get(id) ?? new Map<NoticeKind, bigint>();
      episodes.set(id, episode.set(kind as NoticeKind, BigInt(String(shortfall))));
    }
    return new NoticeDesk(options, episodes);
  }

  /**
   * Takes note of how an account stands; to be called whenever one was assessed. Costs a look-up unless there is something to tell.
   * @param explain what is told, asked for later and only if a notice is due
   */
  see(account: AccountId, { equity, initialMargin, maintenanceMargin }: Assessment, explain: () => Explanation): void {
    const episode = this.#episodes.get(account);
    if (equity >= initialMargin) {
      if (episode === undefined) return;
      this.#episodes.delete(account);
      this.#inbox.push({ ended: account });
      return;
    }
    const kind = equity < maintenanceMargin ? "liquidatable" : "marginCall";
    const shortfall = initialMargin - equity;
    const told = episode?.get(kind);
    if (told !== undefined && shortfall * PPM <= told * (PPM + this.#options.policy.growth)) return;
    this.#episodes.set(account, (episode ?? new Map<NoticeKind, bigint>()).set(kind, shortfall));
    this.#inbox.push({ account, kind, shortfall, told, explain });
  }

  /** Ends the work after the deliveries that are under way; what is left is delivered after the next start. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#working;
    await Promise.all(this.#busy.values());
  }

  // ---------------------------------------------------------------- the queue

  async #work(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      const goesOn = await this.#turn();
      if (signal.aborted && !goesOn) return;
      if (!goesOn) await pause(LOOK_INTERVAL, signal);
    }
  }

  /** One round of the queue; whether there is more to write down at once. */
  async #turn(): Promise<boolean> {
    try {
      await this.#writeDown();
      if (!this.#stop.signal.aborted) await this.#deliverDue();
      return this.#inbox.length !== 0;
    } catch (error) {
      this.#options.logger.error({ reason: nameOfError(error) }, "notices wait for the database");
      return false;
    }
  }

  /** Writes the oldest of what has been seen to the database; what cannot be written now stays in the inbox. */
  async #writeDown(): Promise<void> {
    const entries = this.#inbox.slice(0, BATCH);
    const writes: ((statements: Statements) => Promise<void>)[] = [];
    for (const entry of entries) {
      const write = "ended" in entry ? (s: Statements) => endEpisode(s, entry.ended) : this.#tryAdding(entry);
      if (write !== undefined) writes.push(write);
      await immediate(); // the keeper's loop goes first
    }
    if (entries.length === 0) return;
    await this.#options.database.transaction(async (statements) => {
      for (const write of writes) await write(statements);
    });
    this.#inbox.splice(0, entries.length);
  }

  /** Nothing where nobody can say how the account stands: that must hold up no other, and it is told when it is seen again. */
  #tryAdding(due: Due): ((statements: Statements) => Promise<void>) | undefined {
    try {
      return this.#adding(due);
    } catch (error) {
      this.#options.logger.warn({ account: hexOf(due.account), reason: nameOfError(error) }, "notice waits");
      const episode = this.#episodes.get(due.account);
      if (due.told === undefined) episode?.delete(due.kind);
      else episode?.set(due.kind, due.told);
      return undefined;
    }
  }

  /** Writes a notice and its deliveries, unless another keeper has. */
  #adding({ account, kind, shortfall, told, explain }: Due): (statements: Statements) => Promise<void> {
    const notice = noticeOf(kind, explain(), this.#options.addressBook);
    const channels = [...this.#channels.values()].filter(({ for: whose }) => concerns(whose, notice));
    return async (statements) => {
      const added = await (told === undefined
        ? statements.run(BEGIN_EPISODE, hexOf(account), kind, shortfall.toString())
        : statements.run(WORSEN_EPISODE, shortfall.toString(), hexOf(account), kind, told.toString()));
      if (added === 0) return;
      for (const { name } of channels) {
        await statements.run(ADD_DELIVERY, `${notice.id}:${name}`, hexOf(account), name, JSON.stringify(notice));
      }
    };
  }

  /** Starts what is due on every channel that is free. */
  async #deliverDue(): Promise<void> {
    const { database, metrics } = this.#options;
    const due = await database.all(
      // What is due later than anything can be was written before the clock was set back.
      `SELECT * FROM notice_deliveries WHERE due <= ${database.now} OR due > ${database.now} + ${LONGEST_PAUSE}
       ORDER BY due LIMIT ${MAX_DUE}`,
    );
    metrics.noticesDue.set(due.length);
    for (const [name, rows] of Map.groupBy(due, ({ channel }) => String(channel))) {
      if (this.#busy.has(name)) continue;
      const drained = this.#drain(name, rows).finally(() => this.#busy.delete(name));
      this.#busy.set(name, drained);
    }
  }

  /** Delivers on one channel until it does not take something; never throws. */
  async #drain(name: string, rows: readonly Row[]): Promise<void> {
    const { logger } = this.#options;
    try {
      for (const row of rows) {
        if (this.#stop.signal.aborted || !(await this.#deliver(this.#channels.get(name), row))) return;
      }
    } catch (error) {
      logger.error({ channel: name, reason: nameOfError(error) }, "notices wait for the database");
    }
  }

  /** Attempts one delivery; whether it went through or belongs to nobody. */
  async #deliver(channel: NoticeChannel | undefined, row: Row): Promise<boolean> {
    const id = String(row.id);
    if (channel === undefined) return this.#settle(id, "dropped"); // its subscription is gone
    if (!(await this.#claim(id, Number(row.due)))) return true;
    const reason = await attempt(channel, JSON.parse(String(row.notice)) as Notice);
    if (reason === undefined) return this.#settle(id, "sent");
    const attempts = Number(row.attempts) + 1;
    this.#options.logger.warn({ notice: id, attempts, reason }, "notice not taken");
    if (attempts >= MAX_ATTEMPTS) return this.#settle(id, "givenUp");
    await this.#postpone(id, attempts);
    return false;
  }

  /** Keeps others from attempting the same delivery for a while. */
  async #claim(id: string, due: number): Promise<boolean> {
    const { database } = this.#options;
    const sql = `UPDATE notice_deliveries SET due = ${database.now} + ${CLAIM} WHERE id = ? AND due = ?`;
    return (await database.run(sql, id, due)) === 1;
  }

  async #postpone(id: string, attempts: number): Promise<void> {
    const { database, metrics } = this.#options;
    const pause = Math.min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE);
    const sql = `UPDATE notice_deliveries SET attempts = ?, due = ${database.now} + ${pause} WHERE id = ?`;
    await database.run(sql, attempts, id);
    metrics.notices.inc({ result: "postponed" });
  }

  async #settle(id: string, result: "sent" | "dropped" | "givenUp"): Promise<true> {
    const { database, metrics, logger } = this.#options;
    await database.run("DELETE FROM notice_deliveries WHERE id = ?", id);
    metrics.notices.inc({ result });
    logger[result === "sent" ? "info" : "warn"]({ notice: id }, `notice ${result}`);
    return true;
  }
}

/** Why a channel did not take a notice, in a code; `undefined` if it did. */
async function attempt(channel: NoticeChannel, notice: Notice): Promise<string | undefined> {
  try {
    await channel.send(notice);
    return undefined;
  } catch (error) {
    return error instanceof NoticeNotTaken ? error.code : nameOfError(error);
  }
}

/** The name of an error: its message may hold what nobody should read. */
function nameOfError(error: unknown): string {
  return error instanceof Error ? error.name : "unknown";
}

/** Whether a subscription is for the account of a notice. */
function concerns(whose: string, { account, owner }: Notice): boolean {
  return whose === "*" || [account, owner].some((id) => BigInt(id) === BigInt(whose));
}

// ---------------------------------------------------------------- the database

const TABLES = [
  `CREATE TABLE IF NOT EXISTS notice_episodes (
    account TEXT NOT NULL, kind TEXT NOT NULL, shortfall TEXT NOT NULL,
    PRIMARY KEY (account, kind))`,
  `CREATE TABLE IF NOT EXISTS notice_deliveries (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, channel TEXT NOT NULL, notice TEXT NOT NULL,
    attempts BIGINT NOT NULL, due BIGINT NOT NULL)`,
];
const BEGIN_EPISODE = `INSERT INTO notice_episodes (account, kind, shortfall) VALUES (?, ?, ?)
  ON CONFLICT (account, kind) DO NOTHING`;
const WORSEN_EPISODE = "UPDATE notice_episodes SET shortfall = ? WHERE account = ? AND kind = ? AND shortfall = ?";
const ADD_DELIVERY = `INSERT INTO notice_deliveries (id, account, channel, notice, attempts, due)
  VALUES (?, ?, ?, ?, 0, 0) ON CONFLICT (id) DO NOTHING`;

/** Forgets what was told of an account, and what was not delivered yet: it is not true any more. */
async function endEpisode(database: Statements, account: AccountId): Promise<void> {
  await database.run("DELETE FROM notice_episodes WHERE account = ?", hexOf(account));
  await database.run("DELETE FROM notice_deliveries WHERE account = ?", hexOf(account));
}

// ---------------------------------------------------------------- the words

/** What the owner of an account below IM is told. */
export function noticeOf(kind: NoticeKind, e: Explanation, book: AddressBook): Notice {
  const account = hexOf(e.id);
  const cure = cureText(e.cure ?? { deposits: [] }, book);
  const subject = `${SUBJECTS[kind]}: account ${account}`;
  return {
    id: createHash("sha256").update(`${book.chainId}:${account}:${kind}:${e.block}`).digest("hex").slice(0, 32),
    ...{ kind, account, owner: ownerOf(e.id), block: e.block, time: Number(e.time) },
    ...{ equity: formatWad(e.equity), initialMargin: formatWad(e.initialMargin) },
    ...{ maintenanceMargin: formatWad(e.maintenanceMargin), shortfall: formatWad(e.initialMargin - e.equity) },
    cure,
    prices: e.underlyings.map(({ underlying, price, liquidation }) => ({
      ...{ underlying: nameOf(book.underlyings, underlying), price: formatWad(price) },
      liquidation: pricesJson(liquidation, price),
    })),
    subject,
    text: [standing(e), whatToDo(cure), deadline(kind, e, book), otherwise(e), stuckNote(e, book) ?? ""]
      .filter((part) => part !== "")
      .join("\n\n"),
  };
}

const SUBJECTS = { marginCall: "Margin call", liquidatable: "Liquidation may begin" } as const;

function standing({ equity, initialMargin, maintenanceMargin, block }: Explanation): string {
  const margins = `initial margin ${inUsd(initialMargin)}, maintenance margin ${inUsd(maintenanceMargin)}`;
  return `At block ${block}: equity ${inUsd(equity)}, ${margins}. It lacks ${inUsd(initialMargin - equity)}.`;
}

function whatToDo({ deposits, closing }: CureText): string {
  const ways = deposits.map(({ asset, amount }) => `deposit ${amount} ${asset}`);
  if (closing !== null) ways.push(`trade ${closing.size} ${closing.market}, which closes that much of the position`);
  return ["Any one of these brings it back at the present prices:", ...ways.map((way) => `- ${way}`)].join("\n");
}

/** What the chain gives: there is no time limit, the price is the deadline. */
function deadline(kind: NoticeKind, e: Explanation, book: AddressBook): string {
  if (kind === "liquidatable") return "By when: now. Anyone may already take over a part of it.";
  const at = e.underlyings.flatMap(({ underlying, liquidation: { down, up }, price }) => {
    const name = nameOf(book.underlyings, underlying);
    const bounds = [
      ...(down === undefined ? [] : [`at or below ${inUsd(down)}`]),
      ...(up === undefined ? [] : [`at or above ${inUsd(up)}`]),
    ];
    return bounds.length === 0 ? [] : [`- ${name} ${bounds.join(" or ")}, now ${inUsd(price)}`];
  });
  const none = "- no move of a single price alone; funding, interest or a rise of volatility can";
  return [
    "By when: there is no grace period. It can be liquidated at once when a price is:",
    ...(at.length === 0 ? [none] : at),
  ].join("\n");
}

function otherwise({ auction, maintenanceMargin }: Explanation): string {
  const cost = (clock: bigint) => inUsd((discount(clock) * maintenanceMargin) / WAD);
  const price = `up to ${cost(auction?.clock ?? 0n)} now and up to ${cost(FULL_CLOCK)} after three minutes of auction`;
  return (
    "Otherwise: below maintenance margin anyone may take over as much of the account as brings it back to its initial " +
    `margin. The whole of it costs ${price}, a part in proportion.`
  );
}
