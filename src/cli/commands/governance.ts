import { readFileSync } from "node:fs";

import type { Command } from "commander";
import { getAddress, isAddress, isHexString, toBeHex, ZeroHash } from "ethers";
import { z } from "zod";

import { ROLES } from "../../../deploy/roles.ts";
import { AccessManager__factory, IClearingHouse__factory, TimelockController__factory } from "../../../types/index.ts";
import { readProposal } from "../../calibrate/proposal.ts";
import { review } from "../../calibrate/review.ts";
import type { Call } from "../../sdk/calls.ts";
import type { Plimsoll } from "../../sdk/client.ts";
import { roleMembers } from "../../sdk/history.ts";
import { CliError, EXIT, FileUnusable } from "../errors.ts";
import { time } from "../format.ts";
import { facts, paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import { describeCall, findPending, pendingOperations } from "../pending.ts";
import type { Pending } from "../pending.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { transact } from "../transact.ts";
import { changesOf } from "./calibrate.ts";

const HOUR = 3600;
const SHORT_ID = 10; // characters of an id that people are shown

const ledger = IClearingHouse__factory.createInterface();
const manager = AccessManager__factory.createInterface();
const timelock = TimelockController__factory.createInterface();

const NOTE = `
A file is what plimsoll calibrate propose --out has written, or what a deployment has left to governance. Parameters and
wiring are scheduled in the access manager, roles in the timelock. --calldata prints what a multisig has to send instead.`;

/** Nothing that is pending can be executed yet. */
class NothingReady extends CliError {
  readonly exitCode = EXIT.refused;

  constructor(pending: readonly Pending[]) {
    const next = pending[0];
    super(next === undefined ? "nothing is pending" : `the next operation can be executed at ${time(next.ready)}`, {
      ...(next !== undefined && { id: next.id, ready: next.ready }),
    });
  }
}

/** Roles were to be changed in a house that has no timelock. */
class NoTimelock extends CliError {
  readonly exitCode = EXIT.usage;

  constructor() {
    super("an administrator governs this house at once: it has no timelock to schedule this in");
  }
}

export function governanceCommands(program: Command, perform: Perform): void {
  const group = program.command("governance").description("who governs, what waits, the pause of new risk");
  group
    .command("show")
    .description("roles, members and delays, what is pending, and whether new risk is paused")
    .action(perform(show));
  group
    .command("propose <file>")
    .description("schedule what a file asks for")
    .option("--calldata", "print the transactions for a multisig and send nothing")
    .addHelpText("after", NOTE)
    .action(perform(propose));
  group
    .command("execute [id]")
    .description("execute an operation whose delay is over; all such if none is named")
    .action(perform(execute));
  group.command("cancel <id>").description("cancel an operation that waits").action(perform(cancel));
  group
    .command("pause")
    .description("pause new risk for three days, as the guardian")
    .option("--end", "end the pause instead")
    .action(perform(pause));
}

// ---------------------------------------------------------------- show

async function show(session: Session): Promise<Report> {
  const house = await session.house();
  const { contracts, governance } = session.book;
  const [members, rolesWait, pending, now, pausedUntil, treasury] = await Promise.all([
    roleMembers(house),
    delayOfTimelock(house),
    pendingOperations(house),
    timeOf(house),
    house.clearingHouse.pausedUntil(),
    house.clearingHouse.treasury(),
  ]);
  const isPaused = Number(pausedUntil) > now;
  const roles = members.map(({ role, ...rest }) => ({ role: roleName(role), ...rest }));
  return {
    data: {
      ...{ accessManager: contracts.accessManager, ...governance, treasury, roles, rolesWait: rolesWait ?? null },
      pausedUntil: isPaused ? pausedUntil : null,
      pending: pending.map(({ execute: _execute, cancel: _cancel, ...rest }) => rest),
    },
    text: paragraphs(
      facts([
        ["access manager", contracts.accessManager],
        ...Object.entries({ ...governance }),
        [
          "changes of roles",
          rolesWait === undefined ? "at once" : `wait ${duration(Number(rolesWait))} in the timelock`,
        ],
        ["treasury", treasury],
        ["new risk", isPaused ? `paused until ${time(pausedUntil)}` : "not paused"],
      ]),
      table(
        ["role", "member", ">waits"],
        roles.map(({ role, member, delay }) => [role, member, duration(Number(delay))]),
      ),
      pending.length === 0 ? "Nothing is pending." : pendingTable(pending, now),
    ),
  };
}

function pendingTable(pending: readonly Pending[], now: number): string {
  return table(
    ["pending", "waits in", "what", ">ready"],
    pending.map(({ id, waitsIn, what, ready }) => [
      ...[id.slice(0, SHORT_ID), waitsIn, what],
      ready <= now ? "now" : `in ${duration(ready - now)}`,
    ]),
  );
}

function roleName(role: bigint): string {
  return ROLES.find(({ id }) => id === role)?.name ?? role.toString();
}

/** Seconds as hours, or days where they are many. */
function duration(seconds: number): string {
  if (seconds >= 48 * HOUR) return `${(seconds / (24 * HOUR)).toFixed(1)} d`;
  return `${(seconds / HOUR).toFixed(1)} h`;
}

/** How long what is scheduled in the timelock waits [s]; nothing if the house has none. */
async function delayOfTimelock({ addressBook, provider }: Plimsoll): Promise<bigint | undefined> {
  if (addressBook.governance === undefined) return undefined;
  return TimelockController__factory.connect(addressBook.governance.timelock, provider).getMinDelay();
}

async function timeOf({ provider }: Plimsoll): Promise<number> {
  return (await provider.getBlock("latest"))?.timestamp ?? 0;
}

// ---------------------------------------------------------------- propose

const operations = z.array(
  z.strictObject({
    label: z.string(),
    target: z.string().refine((text) => isAddress(text), "must be an address"),
    data: z.string().refine((text): boolean => isHexString(text), "must be hexadecimal"),
  }),
);

type Operation = z.output<typeof operations>[number];

async function propose(session: Session, file: string, options: { calldata?: boolean }): Promise<Report> {
  const reading = await session.house();
  const { asked, about } = await readFile(reading, file);
  const calls = await scheduling(reading, asked);
  if (options.calldata === true) {
    const text = calls.map(({ target, data }) => `to    ${target}\ndata  ${data}`);
    return { data: { transactions: calls }, text: paragraphs(...text) };
  }
  const house = await session.signingHouse();
  const [first, ...others] = calls;
  if (first === undefined) throw new FileUnusable(file, "it asks for nothing");
  return transact(session, house, {
    title: `schedule ${asked.map(({ label }) => label).join(", ")}`,
    details: [
      ...asked.map(({ label, ...call }): [string, string] => [label, describeCall(session.book, call)]),
      ...about,
    ],
    call: first,
    send: async (sender) => {
      let receipt = await sender.send(first);
      for (const call of others) receipt = await sender.send(call);
      return receipt;
    },
  });
}

/** What a file asks for: the operations of a deployment, or a proposal of parameters and whom it would affect. @throws FileUnusable */
async function readFile(
  house: Plimsoll,
  file: string,
): Promise<{ asked: readonly Operation[]; about: [string, string][] }> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new FileUnusable(file, error instanceof Error ? error.message : String(error));
  }
  if (Array.isArray(value)) {
    const result = operations.safeParse(value);
    if (!result.success) throw new FileUnusable(file, z.prettifyError(result.error).replaceAll("\n", " "));
    return { asked: result.data, about: [] };
  }
  const { proposal, hash } = readProposal(file);
  const { affected } = await review(house, proposal);
  const changes = await changesOf(house, proposal);
  return {
    asked: changes.map(({ of, call }) => ({
      label: `${of} ${describeCall(house.addressBook, call).split("(")[0] ?? ""}`,
      ...call,
    })),
    about: [
      ["proposal", hash],
      ["accounts that it would affect now", affected.length.toString()],
    ],
  };
}

/** The transactions that schedule operations: one to the access manager, and one to the timelock for each change of roles and of its own. */
async function scheduling(house: Plimsoll, asked: readonly Operation[]): Promise<Call[]> {
  const { addressBook, provider } = house;
  const { accessManager } = addressBook.contracts;
  const isOfRoles = ({ target }: Operation) =>
    [accessManager, addressBook.governance?.timelock].includes(getAddress(target));
  const parameters = asked.filter((operation) => !isOfRoles(operation));
  const schedules = parameters.map(({ target, data }) => manager.encodeFunctionData("schedule", [target, data, 0]));
  const calls: Call[] = [];
  if (schedules.length !== 0) {
    calls.push({ target: accessManager, data: manager.encodeFunctionData("multicall", [schedules]) });
  }
  const roles = asked.filter(isOfRoles);
  if (roles.length === 0) return calls;
  const [at, delay] = [addressBook.governance?.timelock, await delayOfTimelock(house)];
  if (at === undefined || delay === undefined) throw new NoTimelock();
  const salt = toBeHex((await provider.getBlock("latest"))?.number ?? 0, 32); // the same change may be wanted again
  const scheduled = roles.map(({ target, data }) => ({
    target: at,
    data: timelock.encodeFunctionData("schedule", [target, 0, data, ZeroHash, salt, delay]),
  }));
  return [...calls, ...scheduled];
}

// ---------------------------------------------------------------- execute, cancel, pause

async function execute(session: Session, id: string | undefined): Promise<Report> {
  const house = await session.signingHouse();
  const pending = await pendingOperations(house);
  const now = await timeOf(house);
  const wanted = id === undefined ? pending.filter(({ ready }) => ready <= now) : [findPending(pending, id)];
  const [first, ...others] = wanted;
  if (first === undefined) throw new NothingReady(pending);
  return transact(session, house, {
    title: `execute ${wanted.map(({ what }) => what).join(", ")}`,
    details: wanted.map((p): [string, string] => [p.id.slice(0, SHORT_ID), p.what]),
    call: first.execute,
    send: async (sender) => {
      let receipt = await sender.send(first.execute);
      for (const { execute: call } of others) receipt = await sender.send(call);
      return receipt;
    },
  });
}

async function cancel(session: Session, id: string): Promise<Report> {
  const house = await session.signingHouse();
  const found = findPending(await pendingOperations(house), id);
  return transact(session, house, { title: `cancel ${found.what}`, call: found.cancel });
}

async function pause(session: Session, options: { end?: boolean }): Promise<Report> {
  const house = await session.signingHouse();
  const data = options.end === true ? ledger.encodeFunctionData("endPause") : ledger.encodeFunctionData("pauseNewRisk");
  return transact(session, house, {
    title: options.end === true ? "end the pause of new risk" : "pause new risk for three days",
    call: { target: session.book.contracts.clearingHouse, data },
  });
}
