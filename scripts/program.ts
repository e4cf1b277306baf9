import { Command } from "commander";
import pino from "pino";
import type { Logger } from "pino";

const MOST_UNWRITTEN = 16 * 1024 * 1024; // [bytes] of log; later lines are dropped

/** A program that runs as it is configured until it is told to stop. */
interface Program<C extends { readonly logLevel: string }> {
  readonly name: string;
  readonly description: string;
  /** The names of its settings in the environment. */
  readonly settings: readonly string[];
  /** Those that are read from there only: a command line can be seen by others. */
  readonly secrets: readonly string[];
  readonly configure: (settings: Readonly<Record<string, string | undefined>>) => C;
  readonly run: (config: C, logger: Logger, signal: AbortSignal) => Promise<void>;
  /** What the operator can mend: the message says how. */
  readonly mendable: readonly (abstract new (...of: never[]) => Error)[];
}

/** Runs a program; SIGINT and SIGTERM tell it to stop. */
export async function runProgram<C extends { readonly logLevel: string }>(program: Program<C>): Promise<void> {
  try {
    const config = program.configure({ ...process.env, ...settingsGiven(program) });
    const stop = new AbortController();
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      process.once(name, () => {
        stop.abort();
      });
    }
    await program.run(config, pino({ level: config.logLevel }, openLog()), stop.signal);
  } catch (error) {
    if (!program.mendable.some((kind) => error instanceof kind)) throw error;
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}

/** Settings of the command line, which go before those of the environment: `--min-profit 5` for `MIN_PROFIT`. */
function settingsGiven({
  name,
  description,
  settings,
  secrets,
}: Pick<Program<never>, "name" | "description" | "settings" | "secrets">) {
  const command = new Command(name).description(description);
  command.addHelpText("after", "\nEvery option may be set in the environment instead: RPC_URL for --rpc-url.");
  command.addHelpText("after", `Secrets are read from the environment only: ${secrets.join(", ")}.`);
  const given = new Map<string, string>();
  for (const setting of settings.filter((one) => !secrets.includes(one))) {
    const flag = setting.toLowerCase().replaceAll("_", "-");
    command.option(`--${flag} <value>`, "", (value: string) => given.set(setting, value));
  }
  command.parse();
  return Object.fromEntries(given);
}

/** Standard output. What cannot be written to a full disk waits there for room, and ends nothing. */
function openLog() {
  const log = pino.destination({ dest: 1, sync: true, maxLength: MOST_UNWRITTEN });
  log.on("error", () => undefined);
  return log;
}
