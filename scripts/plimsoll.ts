import { run } from "../src/cli/plimsoll.ts";
import { processShell } from "../src/cli/shell.ts";

process.exitCode = await run(process.argv.slice(2), processShell);
