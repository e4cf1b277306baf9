import type { Command } from "commander";

import {
  grantKeyCall,
  grantKeyForCall,
  revokeAllCall,
  revokeAllForCall,
  revokeKeyCall,
  revokeKeyForCall,
} from "../../sdk/calls.ts";
import type { Call } from "../../sdk/calls.ts";
import type { Plimsoll } from "../../sdk/client.ts";
import { keyHistory, keysOf } from "../../sdk/history.ts";
import type { KnownKey } from "../../sdk/history.ts";
import { buildGrant, SCOPES, signGrant, signRevoke, signRevokeAll } from "../../sdk/sessionKeys.ts";
import type { Grant, GrantState, KeyName } from "../../sdk/sessionKeys.ts";
import { InvalidValue, UnknownSessionKey } from "../errors.ts";
import { readSigned, SIGNED, venueOf, writeSigned } from "../files.ts";
import type { KeyPaper } from "../files.ts";
import { minute, shortHash } from "../format.ts";
import { grantFacts, grantJson, leftFacts, leftJson, rightsOf, scopeNames } from "../grants.ts";
import { createKeystore } from "../keystore.ts";
import { parseAddress, parseDuration, parseMarket, parsePercent } from "../names.ts";
import { facts, paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import { list } from "../program.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { transact } from "../transact.ts";

export function keyCommands(program: Command, perform: Perform): void {
  const group = program.command("key").description("session keys: what they may do, granting and revoking");
  group.command("new <file>").description("a fresh key in a new keystore file").action(perform(create));
  group
    .command("list")
    .description("living keys of an owner, with effective rights and last use")
    .option("--dead", "ended ones too")
    .action(perform(listKeys));
  group.command("history").description("what was granted and revoked, when and by whom").action(perform(showHistory));
  group.command("show <key>").description("one key of an owner, with what is left of its limits").action(perform(show));
  grantCommands(group, perform);
  group
    .command("revoke <key>")
    .description("end a key and those below it")
    .option("--sign <file>", "sign it into a file for the day it is needed, instead of sending it")
    .action(perform(revoke));
  group
    .command("revoke-all")
    .description("end every order and every key of the signer, for good")
    .option("--sign <file>", "sign it into a file for the day it is needed, instead of sending it")
    .action(perform(revokeAll));
  group.command("submit <file>").description("bring a signed grant or revocation; anybody may").action(perform(submit));
}

interface GrantOptions {
  readonly scopes: readonly string[];
  readonly markets?: readonly string[];
  readonly accounts?: readonly string[];
  readonly lifetime: string;
  readonly priceBand?: string;
  readonly dailyNotional?: string;
  readonly lossLimit?: string;
  readonly equityFloor?: string;
  readonly sign?: string;
}

function grantCommands(group: Command, perform: Perform): void {
  group
    .command("grant <key>")
    .description("allow a key to act for the owner, in place of what it was allowed before")
    .requiredOption("--scopes <names>", `of ${Object.keys(SCOPES).join(", ")}`, list)
    .option("--markets <names>", "all unless named", list)
    .option("--accounts <numbers>", "numbers of accounts, 31 standing for all from there on; 0, the main account", list)
    .option("--lifetime <duration>", "how long it works", "24h")
    .option("--price-band <percent>", "largest distance of its fills from the index")
    .option("--daily-notional <usd>", "most that it may trade in a day (UTC), whole USD")
    .option("--loss-limit <usd>", "most that its fills may lose against the index, fees included, whole USD")
    .option(
      "--equity-floor <usd>",
      "least equity, net of what goes in and out, that its fills leave (account track first)",
    )
    .option("--sign <file>", "sign it into a file that anybody may submit, instead of sending it")
    .action(perform(grant));
  group
    .command("rotate <old> <new>")
    .description("revoke a key and grant another one the same")
    .option("--lifetime <duration>", "how long the new one works", "24h")
    .action(perform(rotate));
}

async function create(session: Session, file: string): Promise<Report> {
  const address = await createKeystore(session.shell, file, session.config.password);
  return { data: { file, address }, text: `Key ${address}\nin ${file}` };
}

// ---------------------------------------------------------------- reading

async function listKeys(session: Session, options: { dead?: boolean }): Promise<Report> {
  const house = await session.house();
  const owner = await session.owner();
  const all = await keysOf(house, owner);
  const shown = options.dead === true ? all : all.filter((key) => key.live);
  return {
    data: { owner, keys: shown.map((key) => keyJson(session, key, all)) },
    text: shown.length === 0 ? `${owner} has no session keys` : paragraphs(`Keys of ${owner}`, keyTable(shown, all)),
  };
}

function keyTable(shown: readonly KnownKey[], all: readonly KnownKey[]): string {
  const rows = shown.map((key) => {
    const rights = rightsOf(key, all);
    const may = scopeNames(rights.scopes).join(" ");
    const left = leftFacts(rights).map(([, value]) => value);
    return [key.key, may, key.live ? minute(rights.expiry) : "ended", left.join(" / "), lastUse(key)];
  });
  return table(["key", "may", "until (UTC)", ">left [USD] today / in all", "last use"], rows);
}

async function showHistory(session: Session): Promise<Report> {
  const house = await session.house();
  const owner = await session.owner();
  const entries = await keyHistory(house, owner);
  const who = (by: string | undefined) => (by === owner ? "the owner" : (by ?? ""));
  const rows = entries.map((e) => [minute(e.time), e.what, e.key ?? "", who(e.by), shortHash(e.transaction)]);
  return {
    data: { owner, entries: entries.map((e) => ({ ...e, key: e.key ?? null, by: e.by ?? null })) },
    text:
      rows.length === 0
        ? `Nothing was ever granted or revoked for ${owner}`
        : paragraphs(`Keys of ${owner}`, table(["time (UTC)", "what", "key", "by", "transaction"], rows)),
  };
}

async function show(session: Session, text: string): Promise<Report> {
  const house = await session.house();
  const owner = await session.owner();
  const all = await keysOf(house, owner);
  const key = find(all, owner, parseAddress("key", text));
  const rights = rightsOf(key, all);
  return {
    data: { owner, ...keyJson(session, key, all) },
    text: paragraphs(
      `Key ${key.key} of ${owner}`,
      facts([
        ["state", key.live ? "live" : "ended"],
        ["granted by", key.parent ?? "the owner"],
        ...grantFacts(rights, session.book),
        ...leftFacts(rights),
        ["last use", lastUse(key)],
      ]),
    ),
  };
}

function keyJson(session: Session, key: KnownKey, all: readonly KnownKey[]): object {
  const rights = rightsOf(key, all);
  return {
    key: key.key,
    live: key.live,
    parent: key.parent ?? null,
    version: key.version,
    rights: grantJson(rights, session.book),
    ...leftJson(rights),
    lastUse: key.lastUse ?? null,
  };
}

function lastUse({ lastUse: use }: KnownKey): string {
  return use === undefined ? "never" : minute(use.time);
}

/** @throws UnknownSessionKey */
function find(keys: readonly KnownKey[], owner: string, key: string): KnownKey {
  const found = keys.find((k) => k.key === key);
  if (found === undefined) throw new UnknownSessionKey(owner, key);
  return found;
}

// ---------------------------------------------------------------- granting and revoking

async function grant(session: Session, text: string, options: GrantOptions): Promise<Report> {
  const key = parseAddress("key", text);
  const rights = grantOf(session, options);
  const house = await session.signingHouse();
  const name = { owner: await session.owner(), key };
  if (options.sign !== undefined) return signGrantTo(session, house, options.sign, name, rights);
  return transact(session, house, {
    title: `grant the key ${key}`,
    details: [["owner", name.owner], ...grantFacts(rights, session.book)],
    call: grantKeyCall(session.book, name, rights),
  });
}

async function signGrantTo(session: Session, house: Plimsoll, file: string, name: KeyName, g: Grant): Promise<Report> {
  const at = await stateOf(house, name);
  const about = facts([["owner", name.owner], ["key", name.key], ...grantFacts(g, session.book)]);
  await session.confirm(`To sign for later: a grant\n\n${about}`, "Sign it?");
  const signature = await signGrant(await session.signer(), session.book, name, g, at);
  return saved(session, file, { kind: "grant", ...name, grant: g, signature });
}

/** The state in which something works that is signed now. */
async function stateOf({ exchange }: Plimsoll, { owner, key }: KeyName): Promise<GrantState> {
  const [{ version }, { epoch }] = await Promise.all([exchange.sessionKey(owner, key), exchange.ownerState(owner)]);
  return { version, epoch };
}

function grantOf({ book }: Session, options: GrantOptions): Grant {
  const { markets, accounts, priceBand, dailyNotional, lossLimit, equityFloor } = options;
  return buildGrant({
    scopes: options.scopes.map(parseScope),
    expiry: Math.floor(Date.now() / 1000) + parseDuration("lifetime", options.lifetime),
    ...(markets !== undefined && { markets: markets.map((name) => parseMarket(name, book).id) }),
    ...(accounts !== undefined && { accounts: accounts.map((serial) => whole("account", serial)) }),
    ...(priceBand !== undefined && { priceBand: parsePercent("price band", priceBand) }),
    ...(dailyNotional !== undefined && { dailyNotional: whole("daily notional", dailyNotional) }),
    ...(lossLimit !== undefined && { lossLimit: whole("loss limit", lossLimit) }),
    ...(equityFloor !== undefined && { equityFloor: whole("equity floor", equityFloor) }),
  });
}

async function revoke(session: Session, text: string, options: { sign?: string }): Promise<Report> {
  const house = await session.signingHouse();
  const name = { owner: await session.owner(), key: parseAddress("key", text) };
  if (options.sign !== undefined) {
    const at = await stateOf(house, name);
    const signature = await signRevoke(await session.signer(), session.book, name, at);
    return saved(session, options.sign, { kind: "revoke", ...name, signature });
  }
  return transact(session, house, {
    title: `revoke the key ${name.key}`,
    call: revokeKeyCall(session.book, name),
    confirm: false,
  });
}

async function revokeAll(session: Session, options: { sign?: string }): Promise<Report> {
  const house = await session.signingHouse();
  const { address: owner } = await session.signer();
  if (options.sign !== undefined) {
    const { epoch } = await house.exchange.ownerState(owner);
    const signature = await signRevokeAll(await session.signer(), session.book, owner, epoch);
    return saved(session, options.sign, { kind: "revokeAll", owner, signature });
  }
  return transact(session, house, {
    title: "revoke every order, intent and key, for good",
    details: [["owner", owner]],
    call: revokeAllCall(session.book),
  });
}

/** The old key ends first: if the second transaction fails, none of the two works. */
async function rotate(
  session: Session,
  oldText: string,
  newText: string,
  options: { lifetime: string },
): Promise<Report> {
  const [old, fresh] = [parseAddress("old key", oldText), parseAddress("new key", newText)];
  const house = await session.signingHouse();
  const owner = await session.owner();
  const { grant: held } = find(await keysOf(house, owner), owner, old);
  const expiry = BigInt(Math.floor(Date.now() / 1000) + parseDuration("lifetime", options.lifetime));
  const rights = { ...held, expiry };
  const granting = grantKeyCall(session.book, { owner, key: fresh }, rights);
  await house.rehearse(granting);
  await session.confirm(
    paragraphs(`To revoke ${old} and grant ${fresh} the same`, facts(grantFacts(rights, session.book))),
    "Send both?",
  );
  const send = (title: string, call: Call) => transact(session, house, { title, call, confirm: false });
  const ended = await send(`revoke the key ${old}`, revokeKeyCall(session.book, { owner, key: old }));
  const granted = await send(`grant the key ${fresh}`, granting);
  return { data: { revoked: ended.data, granted: granted.data }, text: paragraphs(ended.text, granted.text) };
}

async function submit(session: Session, file: string): Promise<Report> {
  const paper = readSigned(file, SIGNED.keyPaper, session.book);
  const house = await session.signingHouse();
  return transact(session, house, {
    title: `submit what ${paper.owner} has signed: ${titleOf(paper)}`,
    details: paper.kind === "grant" ? grantFacts(paper.grant, session.book) : [],
    call: callOf(session, paper),
    confirm: paper.kind !== "revoke",
  });
}

function titleOf(paper: KeyPaper): string {
  if (paper.kind === "grant") return `a grant to ${paper.key}`;
  return paper.kind === "revoke" ? `the end of the key ${paper.key}` : "the end of every order, intent and key";
}

function callOf({ book }: Session, paper: KeyPaper): Call {
  if (paper.kind === "grant") return grantKeyForCall(book, paper, paper.grant, paper.signature);
  if (paper.kind === "revoke") return revokeKeyForCall(book, paper, paper.signature);
  return revokeAllForCall(book, paper.owner, paper.signature);
}

function saved(session: Session, file: string, paper: object): Report {
  const content = { ...venueOf(session.book), ...paper };
  writeSigned(file, content);
  return {
    data: { file, ...content },
    text: `Signed and saved in ${file}; anybody may bring it: plimsoll key submit ${file}`,
  };
}

function parseScope(name: string): keyof typeof SCOPES {
  const scope = (Object.keys(SCOPES) as (keyof typeof SCOPES)[]).find((s) => s === name);
  if (scope === undefined) throw new InvalidValue("scope", name, `give some of ${Object.keys(SCOPES).join(", ")}`);
  return scope;
}

function whole(what: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidValue(what, text, "give a whole number");
  return Number(text);
}
