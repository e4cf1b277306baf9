import { UnknownDatabase } from "./database.ts";
import type { Database } from "./database.ts";
import { PostgresDatabase } from "./postgres.ts";
import { SqliteDatabase } from "./sqlite.ts";

/**
 * Opens `postgres://…`, `sqlite:FILE` or a file, and sees that it can be used.
 * @throws UnknownDatabase, DatabaseError
 */
export async function openDatabase(url: string): Promise<Database> {
  const scheme = /^([a-z]+):\/\//.exec(url)?.[1];
  const database = scheme === undefined ? new SqliteDatabase(url.replace(/^sqlite:/, "")) : ofScheme(scheme, url);
  try {
    await database.all("SELECT 1 AS one");
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

function ofScheme(scheme: string, url: string): Database {
  if (scheme === "postgres" || scheme === "postgresql") return new PostgresDatabase(url);
  throw new UnknownDatabase(scheme);
}
