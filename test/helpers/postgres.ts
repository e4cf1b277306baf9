import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

const SERVER = path.join(import.meta.dirname, "postgresServer.ts");

/** A PostgreSQL server. */
export interface Postgres {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts PostgreSQL as a process on a free port, or on the given one; what it keeps ends with it. */
export async function startPostgres(port = 0): Promise<Postgres> {
  const args = ["--import", "tsx", SERVER, String(port)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return {
    url: `postgres://postgres@127.0.0.1:${line.toString().trim()}/postgres`,
    stop: async () => {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}
