import { ZeroAddress } from "ethers";
import type { Command } from "commander";

import { allowPayeeCall, lockDownCall, removePayeeCall, setGuardCall, unlockCall } from "../../sdk/calls.ts";
import { payeesOf } from "../../sdk/history.ts";
import { time } from "../format.ts";
import { parseAddress, parseDuration } from "../names.ts";
import { facts, paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { transact } from "../transact.ts";
import { guardWatchCommand } from "./guardWatch.ts";

interface GuardOptions {
  readonly guardian?: string;
  readonly delay: string;
  readonly restricted?: boolean;
}

export function guardCommands(program: Command, perform: Perform): void {
  const group = program.command("guard").description("payees, delay, guardian and lockdown of an owner");
  group.command("show").description("the guard of an owner and his payees").action(perform(show));
  group
    .command("set")
    .description("set the signer's guard; what loosens waits for the delay in force")
    .option("--guardian <address>", "may lock down, unlock and take payees off the list; nobody if left out")
    .option("--delay <duration>", "how long what loosens and new payees wait, at most 30d", "0s")
    .option("--restricted", "withdrawals go to payees only")
    .action(perform(set));
  group.command("allow <payee>").description("put an address on the signer's list of payees").action(perform(allow));
  group
    .command("remove <payee>")
    .description("take an address off the list, as its owner or his guardian")
    .action(perform(remove));
  group
    .command("lock")
    .description("lockdown: end all that is signed, leave only what saves the owner; as the owner or his guardian")
    .action(perform(lock));
  group
    .command("unlock")
    .description("end a lockdown as the guardian; as the owner ask for its end, and end it after the delay")
    .action(perform(unlock));
  guardWatchCommand(group, perform);
}

async function show(session: Session): Promise<Report> {
  const house = await session.house();
  const owner = await session.owner();
  const [[guard, pending], payees] = await Promise.all([house.clearingHouse.guardOf(owner), payeesOf(house, owner)]);
  const waits = pending.time > BigInt(Math.floor(Date.now() / 1000));
  return {
    data: {
      owner,
      guardian: guard.guardian === ZeroAddress ? null : guard.guardian,
      delay: Number(guard.delay),
      restricted: guard.restricted,
      lockedSince: guard.lockTime === 0n ? null : Number(guard.lockTime),
      unlockFrom: guard.unlockTime === 0n ? null : Number(guard.unlockTime),
      pending: waits ? { ...plain(pending), time: Number(pending.time) } : null,
      payees: payees.map(({ payee, since }) => ({ payee, since: Number(since) })),
    },
    text: paragraphs(
      `Guard of ${owner}`,
      facts([
        ...termFacts(guard),
        ["lockdown", guard.lockTime === 0n ? "no" : `since ${time(guard.lockTime)}`],
        ...(guard.unlockTime === 0n ? [] : [["can be ended from", time(guard.unlockTime)] as const]),
        ...(waits ? [["loosens", `from ${time(pending.time)}: ${inWords(pending)}`] as const] : []),
      ]),
      payees.length === 0
        ? "No payees."
        : table(
            ["payee", "good from"],
            payees.map((p) => [p.payee, time(p.since)]),
          ),
    ),
  };
}

/** What a guard asks for. */
interface Terms {
  readonly guardian: string;
  readonly delay: bigint; // [s]
  readonly restricted: boolean;
}

function termFacts({ guardian, delay, restricted }: Terms): [name: string, value: string][] {
  return [
    ["guardian", guardian === ZeroAddress ? "nobody" : guardian],
    ["delay", `${delay.toString()} s`],
    ["withdrawals", restricted ? "to payees only" : "to any address"],
  ];
}

function inWords(terms: Terms): string {
  return termFacts(terms)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}

function plain({ guardian, delay, restricted }: Terms) {
  return { guardian: guardian === ZeroAddress ? null : guardian, delay: Number(delay), restricted };
}

async function set(session: Session, options: GuardOptions): Promise<Report> {
  const house = await session.signingHouse();
  const guardian = options.guardian === undefined ? undefined : parseAddress("guardian", options.guardian);
  const terms = { delay: parseDuration("delay", options.delay), restricted: options.restricted === true };
  return transact(session, house, {
    title: "set the guard",
    details: [
      ["owner", (await session.signer()).address],
      ["guardian", guardian ?? "nobody"],
      ["delay", options.delay],
      ["withdrawals", terms.restricted ? "to payees only" : "to any address"],
    ],
    call: setGuardCall(session.book, { ...terms, ...(guardian !== undefined && { guardian }) }),
  });
}

async function allow(session: Session, text: string): Promise<Report> {
  const house = await session.signingHouse();
  const payee = parseAddress("payee", text);
  const call = allowPayeeCall(session.book, payee);
  return transact(session, house, { title: `allow withdrawals to ${payee}`, call });
}

async function remove(session: Session, text: string): Promise<Report> {
  const house = await session.signingHouse();
  const payee = parseAddress("payee", text);
  const call = removePayeeCall(session.book, await session.owner(), payee);
  return transact(session, house, { title: `take ${payee} off the list`, call, confirm: false });
}

async function lock(session: Session): Promise<Report> {
  const house = await session.signingHouse();
  const owner = await session.owner();
  return transact(session, house, {
    title: "lock down: every key, order and intent ends, and only what saves the owner is left",
    details: [["owner", owner]],
    call: lockDownCall(session.book, owner),
  });
}

async function unlock(session: Session): Promise<Report> {
  const house = await session.signingHouse();
  const owner = await session.owner();
  const call = unlockCall(session.book, owner);
  return transact(session, house, { title: "end the lockdown, or ask for its end", details: [["owner", owner]], call });
}
