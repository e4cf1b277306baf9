import { ChildProcess } from "node:child_process";
import { Socket } from "node:net";

const PATIENCE = 60_000; // [ms]

/** The process ends when nothing is left running; what a test has left behind would hold it for ever. */
after(() => {
  setTimeout(() => {
    const handles = (process as unknown as { _getActiveHandles: () => unknown[] })._getActiveHandles();
    console.error(`still running ${PATIENCE / 1000} s after the last test, so the run has failed:`);
    console.error(process.getActiveResourcesInfo().join(" "));
    for (const handle of handles) console.error(described(handle));
    process.exit(1);
  }, PATIENCE).unref();
});

function described(handle: unknown): string {
  if (handle instanceof ChildProcess) return `process ${handle.pid}: ${handle.spawnargs.join(" ")}`;
  if (handle instanceof Socket) return `socket ${handle.localPort} to ${handle.remoteAddress}:${handle.remotePort}`;
  return (handle as object).constructor.name;
}
