import { Command, CommanderError } from "commander";

import { accountCommands } from "./commands/account.ts";
import { adminCommands } from "./commands/admin.ts";
import { auditCommands } from "./commands/audit.ts";
import { calibrateCommands } from "./commands/calibrate.ts";
import { cancelCommands } from "./commands/cancel.ts";
import { claimCommands } from "./commands/claim.ts";
import { deadManCommands } from "./commands/deadMan.ts";
import { drillCommands } from "./commands/drill.ts";
import { fundCommands } from "./commands/fund.ts";
import { fundsCommands } from "./commands/funds.ts";
import { governanceCommands } from "./commands/governance.ts";
import { guardCommands } from "./commands/guard.ts";
import { intentCommands } from "./commands/intent.ts";
import { keyCommands } from "./commands/key.ts";
import { lendingCommands } from "./commands/lending.ts";
import { marketCommands } from "./commands/market.ts";
import { orderCommands } from "./commands/order.ts";
import { positionCommands } from "./commands/position.ts";
import { replayCommands } from "./commands/replay.ts";
import { reportCommands } from "./commands/report.ts";
import { riskCommands } from "./commands/risk.ts";
import { whyCommands } from "./commands/why.ts";
import { EXIT } from "./errors.ts";
import { describeFailure } from "./failure.ts";
import { json } from "./output.ts";
import { performer } from "./program.ts";
import type { Group } from "./program.ts";
import { Session } from "./session.ts";
import type { Shell } from "./shell.ts";

const GROUPS: readonly Group[] = [
  ...[
    accountCommands,
    fundsCommands,
    claimCommands,
    lendingCommands,
    fundCommands,
    orderCommands,
    cancelCommands,
    positionCommands,
  ],
  ...[
    riskCommands,
    whyCommands,
    reportCommands,
    keyCommands,
    guardCommands,
    deadManCommands,
    marketCommands,
    adminCommands,
    governanceCommands,
    auditCommands,
    calibrateCommands,
    drillCommands,
    replayCommands,
    intentCommands,
  ],
];

const HELP_WIDTH = 116; // [columns]

const HELP = `
Settings of the environment: RPC_URL, ADDRESS_BOOK, MATCHER, KEYSTORE for the options of these names; PRIVATE_KEY or
PLIMSOLL_PASSWORD for keys, which never stand on a command line. Amounts are decimal numbers.

Exit codes: 0 done, 1 failed or declined, 2 wrong usage, 3 refused by a contract or the matcher, 4 nobody answers,
130 stopped.`;

/**
 * Runs one command line, without the program's name, and returns its exit code.
 *
 *     process.exitCode = await run(["account", "show", "--json"], processShell);
 */
export async function run(args: readonly string[], shell: Shell): Promise<number> {
  const open: Session[] = [];
  const help: string[] = [];
  try {
    await program(shell, open, help).parseAsync([...args], { from: "user" });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done; // help was asked for
    if (error instanceof CommanderError && error.code === "commander.help") {
      shell.err(help.join("")); // a group without a command
      return EXIT.usage;
    }
    const { exitCode, ...failure } = describeFailure(error, open[0]?.knownBook);
    const text = `${failure.error}: ${failure.message}\n`;
    shell.err(args.includes("--json") ? json({ ...failure, exitCode }) : text);
    return exitCode;
  } finally {
    for (const session of open) session.close();
  }
}

/** The commands; what they open is put into `open`, what commander itself complains about or shows instead into `complaints`. */
function program(shell: Shell, open: Session[], complaints: string[]): Command {
  const perform = performer(async (options, work) => {
    const session = new Session(shell, options);
    open.push(session);
    const { data, text } = await work(session);
    shell.out(options.json === true ? json(data) : `${text}\n`);
  });
  const root = new Command("plimsoll")
    .description("Margin accounts on the command line: funds, orders, positions, risk and keys.")
    .option("--rpc-url <url>", "node (http://127.0.0.1:8545)")
    .option("--address-book <file>", "what a deployment wrote (deploy/addresses/31337.json)")
    .option("--matcher <url>", "matcher that orders go to; without one they are printed")
    .option("--keystore <file>", "key, opened by PLIMSOLL_PASSWORD or a prompt; or PRIVATE_KEY in the environment")
    .option("--account <name>", "main, a number, isolated:MARKET[:NUMBER] or a full id", "main")
    .option("--owner <address>", "whose accounts are meant: to read others', or to act as a key")
    .option("--json", "one JSON document on stdout, errors as JSON on stderr")
    .option("--yes", "confirms what would be asked")
    .addHelpText("after", HELP)
    .configureHelp({ showGlobalOptions: true, helpWidth: HELP_WIDTH })
    .configureOutput({
      writeOut: (text) => {
        shell.out(text);
      },
      writeErr: (text) => complaints.push(text),
    })
    .exitOverride();
  for (const group of GROUPS) group(root, perform);
  return root;
}
