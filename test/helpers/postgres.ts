import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";

/** A PostgreSQL server of this process. */
export interface Postgres {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts PostgreSQL, compiled to WebAssembly, on a free port, or on the given one; it keeps nothing. */
export async function startPostgres(port = 0): Promise<Postgres> {
  const db = await PGlite.create();
  const server = new PGLiteSocketServer({ db, port, maxConnections: 50 });
  await server.start();
  return {
    url: `postgres://postgres@${server.getServerConn()}/postgres`,
    stop: async () => {
      await server.stop();
      await db.close();
    },
  };
}
