import type { Command } from "commander";

import type { Report } from "./output.ts";
import type { GlobalOptions, Session } from "./session.ts";

/** What a command does with its arguments and options. */
export type Handler<A extends unknown[]> = (session: Session, ...args: A) => Promise<Report>;

/** Runs a handler in a session of the options that stand anywhere on the command line, and prints what it reports. */
export type Perform = <A extends unknown[]>(
  handler: Handler<A>,
) => (this: Command, ...args: [...A, Command]) => Promise<void>;

/** Adds the commands of one group. */
export type Group = (program: Command, perform: Perform) => void;

/** Opens a session of these options, lets `work` use it, and prints what it reports. */
type Run = (options: GlobalOptions, work: (session: Session) => Promise<Report>) => Promise<void>;

/** Makes actions for commander: it calls them with a command's arguments, its options and, last, the command. */
export function performer(run: Run): Perform {
  return <A extends unknown[]>(handler: Handler<A>) =>
    async function perform(this: Command, ...args: [...A, Command]) {
      const own = args.slice(0, -1) as unknown as A;
      await run(this.optsWithGlobals<GlobalOptions>(), (session) => handler(session, ...own));
    };
}

/** Collects an option that may be given several times, or with commas. */
export function list(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, ...value.split(",").filter((part) => part !== "")];
}
