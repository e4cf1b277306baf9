import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { ftruncateSync, renameSync, rmSync, writeSync } from "node:fs";
import { fdatasync, write } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";

import { Engine } from "./engine.ts";
import type { BookLimits } from "./book.ts";
import { decode } from "./types.ts";
import type { Command } from "./types.ts";

// A segment is a row of frames. A frame is what one write and one sync bring to the disk:
// magic (4 bytes), length of the body (4), CRC-32 of the body (4), body. The body is a row of records, each a length (4) and a
// command as JSON, and after them the engine's running hash (32).

const MAGIC = 0x504c4d31; // "PLM1"
const HEADER = 12;
const HASH = 32;
const MAX_FRAME = 1 << 26; // [bytes] of a body
const FRAME_TARGET = 1 << 20; // [bytes] after which a group is written without waiting for more
const KEPT_SEGMENTS = 8;

const writeAsync = promisify(write);
const syncAsync = promisify(fdatasync);

/** The log is damaged where a crash cannot have damaged it: in front of something that was written later. */
export class LogCorrupt extends Error {
  readonly file: string;
  readonly offset: number;

  constructor(file: string, offset: number, reason: string) {
    super(`${file} is damaged at byte ${offset}: ${reason}. Restore it from a copy; nothing was changed.`);
    this.name = "LogCorrupt";
    this.file = file;
    this.offset = offset;
  }
}

/** Carrying out the log's commands led to another state than when they were written. */
export class LogDiverged extends Error {
  readonly sequence: number;

  constructor(sequence: number, expected: string, found: string) {
    super(
      `after command ${sequence} the running hash is ${found} instead of ${expected}: another version wrote this log`,
    );
    this.name = "LogDiverged";
    this.sequence = sequence;
  }
}

/** What was found when a log was opened. */
export interface Recovery {
  readonly engine: Engine;
  /** Commands carried out again. */
  readonly replayed: number;
  /** [bytes] of an unfinished write at the end that nobody was told of. */
  readonly torn: number;
}

interface Waiting {
  readonly text: string;
  readonly hash: Buffer;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * The append-only log of commands. `append` promises that a command has reached the disk; all that wait share one write and one sync.
 * A new segment begins with a snapshot of the engine, so that opening the log costs at most a segment.
 */
export class CommandLog {
  readonly #folder: string;
  readonly #segmentBytes: number;
  #file: number;
  #written: number;
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;
  #roll: { readonly at: number; readonly sequence: number; readonly snapshot: string } | undefined;
  #failure: unknown;
  #syncs = 0;

  private constructor(folder: string, segmentBytes: number, file: number, written: number) {
    this.#folder = folder;
    this.#segmentBytes = segmentBytes;
    this.#file = file;
    this.#written = written;
  }

  /**
   * Opens the log in a folder, made where there is none, and rebuilds the engine from it.
   * @param segmentBytes size after which a new segment begins
   * @throws LogCorrupt, LogDiverged
   */
  static open(folder: string, limits: BookLimits, segmentBytes = 1 << 28): { log: CommandLog; recovery: Recovery } {
    mkdirSync(folder, { recursive: true });
    const { name, recovery, bytes } = readLog(folder, limits);
    const file = openSync(path.join(folder, name), "a+");
    ftruncateSync(file, bytes);
    fsyncSync(file);
    syncFolder(folder);
    return { log: new CommandLog(folder, segmentBytes, file, bytes), recovery };
  }

  /** Writes and syncs so far: how many commands share one shows how well they are grouped. */
  get syncs(): number {
    return this.#syncs;
  }

  /** Commands that wait to reach the disk. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Adds a command that the engine has just carried out; resolves once it is on the disk.
   * @param text as `encode` writes the command
   * @throws whatever the disk throws; nothing can be appended after that
   */
  append(text: string, engine: Engine): Promise<void> {
    const hash = engine.hash;
    const durable = new Promise<void>((done, failed) => this.#queue.push({ text, hash, done, failed }));
    if (this.#roll === undefined && this.#written > this.#segmentBytes) {
      this.#roll = { at: this.#queue.length, sequence: engine.sequence, snapshot: engine.dump() };
    }
    this.#running ??= this.#run();
    return durable;
  }

  /** Resolves once everything appended is on the disk. */
  async flush(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async close(): Promise<void> {
    await this.flush();
    closeSync(this.#file);
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // what is appended in this turn goes together
    while (this.#queue.length > 0) await this.#writeGroup();
    this.#running = undefined;
  }

  async #writeGroup(): Promise<void> {
    const group = this.#nextGroup();
    try {
      if (this.#failure !== undefined) throw this.#failure as Error;
      const frame = frameOf(group);
      for (let at = 0; at < frame.length;) at += (await writeAsync(this.#file, frame, at)).bytesWritten;
      await syncAsync(this.#file);
      this.#syncs += 1;
      this.#written += frame.length;
      if (this.#roll?.at === 0) this.#startSegment(this.#roll);
    } catch (error) {
      this.#failure = error; // the end of the file is unknown from here on
      for (const { failed } of group) failed(error);
      return;
    }
    for (const { done } of group) done();
  }

  #nextGroup(): Waiting[] {
    let count = 0;
    for (let bytes = 0; count < this.#queue.length && bytes < FRAME_TARGET; ++count) {
      bytes += this.#queue[count]?.text.length ?? 0;
      if (count + 1 === this.#roll?.at) {
        ++count;
        break;
      }
    }
    if (this.#roll !== undefined) this.#roll = { ...this.#roll, at: this.#roll.at - count };
    return this.#queue.splice(0, count);
  }

  #startSegment({ sequence, snapshot }: { readonly sequence: number; readonly snapshot: string }): void {
    const text = Buffer.from(snapshot);
    const check = Buffer.alloc(4);
    check.writeUInt32LE(crc32(text));
    writeDurably(this.#folder, `snapshot-${numbered(sequence)}.json`, Buffer.concat([check, text]));
    closeSync(this.#file);
    this.#file = openSync(path.join(this.#folder, `log-${numbered(sequence)}.bin`), "a+");
    syncFolder(this.#folder);
    this.#written = 0;
    this.#roll = undefined;
    prune(this.#folder);
  }
}

/**
 * Rebuilds an engine from a log without changing it.
 * @throws LogCorrupt, LogDiverged
 */
export function readLog(folder: string, limits: BookLimits): { name: string; recovery: Recovery; bytes: number } {
  const { sequence, engine } = latestSnapshot(folder, limits);
  const name = `log-${numbered(sequence)}.bin`;
  const file = path.join(folder, name);
  const data = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
  let replayed = 0;
  let at = 0;
  while (at < data.length) {
    const body = bodyAt(data, at);
    if (body === undefined) break;
    replayed += replayFrame(engine, body);
    at += HEADER + body.length;
  }
  const later = at < data.length ? laterFrame(data, at) : undefined;
  if (later !== undefined) throw new LogCorrupt(file, at, `a whole frame follows at byte ${later}`);
  return { name, recovery: { engine, replayed, torn: data.length - at }, bytes: at };
}

/** The commands of a log's segment that begins after command `sequence`, for anybody who wants to check the running hash. */
export function* commandsOf(data: Buffer): Generator<string> {
  for (let at = 0; ;) {
    const body = bodyAt(data, at);
    if (body === undefined) return;
    yield* recordsOf(body);
    at += HEADER + body.length;
  }
}

function replayFrame(engine: Engine, body: Buffer): number {
  let count = 0;
  for (const text of recordsOf(body)) {
    engine.apply(decode(text) as Command, text);
    count += 1;
  }
  const expected = body.subarray(body.length - HASH);
  if (!engine.hash.equals(expected)) {
    throw new LogDiverged(engine.sequence, expected.toString("hex"), engine.hash.toString("hex"));
  }
  return count;
}

function* recordsOf(body: Buffer): Generator<string> {
  for (let at = 0; at < body.length - HASH;) {
    const length = body.readUInt32LE(at);
    yield body.toString("utf8", at + 4, at + 4 + length);
    at += 4 + length;
  }
}

/** The body of the whole and undamaged frame at an offset; `undefined` if there is none. */
function bodyAt(data: Buffer, at: number): Buffer | undefined {
  if (at + HEADER > data.length || data.readUInt32LE(at) !== MAGIC) return undefined;
  const length = data.readUInt32LE(at + 4);
  if (length < HASH || length > MAX_FRAME || at + HEADER + length > data.length) return undefined;
  const body = data.subarray(at + HEADER, at + HEADER + length);
  return crc32(body) === data.readUInt32LE(at + 8) ? body : undefined;
}

/** A frame is written only after the one before it was synced; so one that follows a damaged one means that the disk has lost data. */
function laterFrame(data: Buffer, from: number): number | undefined {
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(MAGIC);
  for (let at = data.indexOf(magic, from + 1); at >= 0; at = data.indexOf(magic, at + 1)) {
    if (bodyAt(data, at) !== undefined) return at;
  }
  return undefined;
}

function frameOf(group: readonly Waiting[]): Buffer {
  const parts: Buffer[] = [Buffer.alloc(HEADER)];
  for (const { text } of group) {
    const record = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(record.length);
    parts.push(length, record);
  }
  parts.push(group.at(-1)?.hash ?? Buffer.alloc(HASH));
  const frame = Buffer.concat(parts);
  const body = frame.subarray(HEADER);
  frame.writeUInt32LE(MAGIC, 0);
  frame.writeUInt32LE(body.length, 4);
  frame.writeUInt32LE(crc32(body), 8);
  return frame;
}

/** The newest whole snapshot; an engine from nothing if there is none. */
function latestSnapshot(folder: string, limits: BookLimits): { sequence: number; engine: Engine } {
  const newest = existsSync(folder) ? numbersOf(folder, "snapshot-").at(-1) : undefined;
  if (newest === undefined) return { sequence: 0, engine: new Engine(limits) };
  const file = path.join(folder, `snapshot-${numbered(newest)}.json`);
  const data = readFileSync(file);
  const text = data.subarray(4);
  if (data.length < 4 || crc32(text) !== data.readUInt32LE(0)) throw new LogCorrupt(file, 0, "its checksum is wrong");
  return { sequence: newest, engine: Engine.restore(text.toString(), limits) };
}

/** Keeps the newest segments and what they begin from. */
function prune(folder: string): void {
  const snapshots = numbersOf(folder, "snapshot-");
  const oldest = snapshots.at(-KEPT_SEGMENTS);
  if (oldest === undefined) return;
  for (const n of snapshots) if (n < oldest) rmSync(path.join(folder, `snapshot-${numbered(n)}.json`));
  for (const n of numbersOf(folder, "log-")) if (n < oldest) rmSync(path.join(folder, `log-${numbered(n)}.bin`));
}

function numbersOf(folder: string, prefix: string): number[] {
  const names = readdirSync(folder).filter((name) => name.startsWith(prefix) && !name.endsWith(".new"));
  return names.map((name) => Number.parseInt(name.slice(prefix.length), 10)).sort((a, b) => a - b);
}

function numbered(sequence: number): string {
  return String(sequence).padStart(16, "0");
}

/** A file that is there whole or not at all, whatever happens. */
function writeDurably(folder: string, name: string, data: Buffer): void {
  const file = openSync(path.join(folder, `${name}.new`), "w");
  for (let at = 0; at < data.length;) at += writeSync(file, data, at);
  fsyncSync(file);
  closeSync(file);
  renameSync(path.join(folder, `${name}.new`), path.join(folder, name));
  syncFolder(folder);
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, "r");
  fsyncSync(handle);
  closeSync(handle);
}
