import type { Command } from "commander";

import { setDeadManCall } from "../../sdk/calls.ts";
import type { Plimsoll } from "../../sdk/client.ts";
import { DeadManNotLive } from "../errors.ts";
import { time } from "../format.ts";
import { parseDuration, parseNonce } from "../names.ts";
import { facts, paragraphs } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { transact } from "../transact.ts";

const NOTE = `
The switch is on the chain and binds everybody: once its time has passed, every order of the owner is void, whoever has
it. What has lapsed stays void; set then begins anew and cancels every nonce up to the time in milliseconds, from where
order place counts on. A session key that trades with the main account may set and renew it (--owner).`;

interface SetOptions {
  readonly below?: string;
}

export function deadManCommands(program: Command, perform: Perform): void {
  const group = program
    .command("dead-man")
    .description("dead-man switch on the chain: all orders of an owner end unless it is renewed in time")
    .addHelpText("after", NOTE);
  group
    .command("set <duration>")
    .description("void all orders of the owner this long from now, such as 10m")
    .option("--below <nonce>", "cancels orders with a lower nonce too")
    .action(perform(set));
  group
    .command("renew <duration>")
    .description("the same for a switch that has not lapsed, and only then")
    .action(perform(renew));
  group.command("show").description("whether it is set, and until when orders are good").action(perform(show));
  group.command("clear").description("switch it off, as the owner").action(perform(clear));
}

/** What the exchange knows of an owner's switch; `now` [s] is the chain's. */
interface Switch {
  readonly owner: string;
  readonly epoch: bigint;
  readonly lowestNonce: bigint;
  readonly deadMan: bigint; // [s]
  readonly now: bigint;
  readonly state: "off" | "live" | "lapsed";
}

async function switchOf(house: Plimsoll, owner: string): Promise<Switch> {
  const [{ epoch, lowestNonce, deadMan }, block] = await Promise.all([
    house.exchange.ownerState(owner),
    house.provider.getBlock("latest"),
  ]);
  const now = BigInt(block?.timestamp ?? 0);
  const state = deadMan === 0n ? "off" : now > deadMan ? "lapsed" : "live";
  return { owner, epoch, lowestNonce, deadMan, now, state };
}

async function set(session: Session, text: string, { below }: SetOptions): Promise<Report> {
  const duration = parseDuration("duration", text);
  const house = await session.signingHouse();
  const known = await switchOf(house, await session.owner());
  const lowestNonce = below === undefined ? freshNonce(known) : parseNonce(below);
  return change(session, house, known, known.now + BigInt(duration), lowestNonce);
}

async function renew(session: Session, text: string): Promise<Report> {
  const duration = parseDuration("duration", text);
  const house = await session.signingHouse();
  const known = await switchOf(house, await session.owner());
  if (known.state !== "live") throw new DeadManNotLive(known.owner, known.state);
  return change(session, house, known, known.now + BigInt(duration), known.lowestNonce);
}

async function clear(session: Session): Promise<Report> {
  const house = await session.signingHouse();
  const known = await switchOf(house, await session.owner());
  if (known.state === "off") throw new DeadManNotLive(known.owner, known.state);
  return change(session, house, known, 0n, freshNonce(known));
}

function change(session: Session, house: Plimsoll, known: Switch, end: bigint, lowestNonce: bigint): Promise<Report> {
  const { owner } = known;
  return transact(session, house, {
    title: end === 0n ? "switch the dead-man switch off" : "set the dead-man switch",
    details: [
      ["owner", owner],
      ["orders are void", end === 0n ? "never" : `after ${time(end)}`],
      ...(lowestNonce === known.lowestNonce
        ? []
        : [["cancelled", `every order with a nonce below ${lowestNonce.toString()}`] as const]),
    ],
    call: setDeadManCall(session.book, owner, end, lowestNonce),
  });
}

/** What the lowest nonce has to be: after a lapse a higher one, from where orders are numbered on. */
function freshNonce({ state, lowestNonce }: Switch): bigint {
  if (state !== "lapsed") return lowestNonce;
  const now = BigInt(Date.now());
  return now > lowestNonce ? now : lowestNonce + 1n;
}

async function show(session: Session): Promise<Report> {
  const house = await session.house();
  const { owner, state, deadMan, lowestNonce, epoch } = await switchOf(house, await session.owner());
  const words = {
    off: "off",
    live: `live: orders are void after ${time(deadMan)}`,
    lapsed: `lapsed: every order of before ${time(deadMan)} is void, and new ones need set`,
  };
  return {
    data: { owner, state, time: deadMan === 0n ? null : Number(deadMan), lowestNonce, epoch },
    text: paragraphs(
      `Dead-man switch of ${owner}`,
      facts([
        ["state", words[state]],
        ["lowest nonce, epoch", `${lowestNonce.toString()}, ${epoch.toString()}`],
      ]),
    ),
  };
}
