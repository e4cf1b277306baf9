import { expect } from "chai";

import { run } from "../../src/cli/plimsoll.ts";
import type { Shell } from "../../src/cli/shell.ts";
import type { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";

/** What a command line has printed, and how it ended. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly asked: readonly string[];
}

/** Who types: with which key, in which environment, and what he answers. Without answers nobody is there. */
export interface Typing {
  readonly as?: Trader;
  readonly env?: Readonly<Record<string, string>>;
  readonly answers?: readonly string[];
}

/** Runs one command line in this process, in an environment that holds nothing but what is said. */
export async function type(venue: Venue, line: readonly string[], typing: Typing = {}): Promise<Outcome> {
  const [out, err, asked]: [string[], string[], string[]] = [[], [], []];
  const answers = [...(typing.answers ?? [])];
  const shell: Shell = {
    env: {
      ...{ RPC_URL: venue.anvil.url, ADDRESS_BOOK: venue.bookFile },
      ...(typing.as !== undefined && { PRIVATE_KEY: typing.as.wallet.privateKey }),
      ...typing.env,
    },
    interactive: typing.answers !== undefined,
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    ask: (question) => {
      asked.push(question);
      return Promise.resolve(answers.shift() ?? "");
    },
  };
  const code = await run(line, shell);
  return { code, out: out.join(""), err: err.join(""), asked };
}

/** The one JSON document of a command that must succeed, confirmed by --yes. */
export async function ask<T = Record<string, unknown>>(
  venue: Venue,
  line: readonly string[],
  typing: Typing = {},
): Promise<T> {
  const { code, out, err } = await type(venue, [...line, "--yes", "--json"], typing);
  expect(code, `${line.join(" ")}: ${err}`).to.equal(0);
  expect(err).to.equal("");
  return JSON.parse(out) as T;
}

/** What a command that must succeed tells people. */
export async function tell(venue: Venue, line: readonly string[], typing: Typing = {}): Promise<string> {
  const { code, out, err } = await type(venue, [...line, "--yes"], typing);
  expect(code, `${line.join(" ")}: ${err}`).to.equal(0);
  return out;
}

/** An error as it is told to machines. */
export interface Told {
  readonly error: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
  readonly exitCode: number;
}

/** Expects a command line to fail in both modes with one typed error and exit code; returns what machines are told. */
export async function fails(
  venue: Venue,
  line: readonly string[],
  error: string,
  code: number,
  typing: Typing = {},
): Promise<Told> {
  const people = await type(venue, line, typing);
  expect(people.code, people.err + people.out).to.equal(code);
  expect(people.err).to.match(new RegExp(`(?:^|\n)${error}: .`));
  expect(people.out).to.equal("");
  const machine = await type(venue, [...line, "--json"], typing);
  expect(machine.code).to.equal(code);
  expect(machine.out).to.equal("");
  const told = JSON.parse(machine.err) as Told;
  expect(told).to.include({ error, exitCode: code });
  return told;
}
