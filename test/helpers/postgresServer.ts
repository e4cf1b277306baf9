import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

import { PGlite } from "@electric-sql/pglite";

// PostgreSQL compiled to WebAssembly has one session and no network. This gives it to several clients of a port, one after the other: for
// an exchange up to its Sync, and to the end of a transaction. `node postgresServer.ts PORT` prints the port; what is kept ends with it.

const SSL_REQUEST = 80_877_103; // stands where a start-up message has its version
const ENDS = ["S", "Q", "X"].map((letter) => letter.charCodeAt(0)); // Sync, Query, Terminate
const IDLE = "I".charCodeAt(0); // last byte of an answer outside a transaction

let free = Promise.resolve();

/** Waits until the session is free and keeps it until the answer is called. */
async function acquire(): Promise<() => void> {
  const before = free;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  free = promise.then();
  await before;
  return () => {
    resolve(undefined);
  };
}

async function serve(postgres: PGlite, client: Socket): Promise<void> {
  let release: (() => void) | undefined;
  try {
    for await (const exchange of exchangesOf(client)) {
      release ??= await acquire();
      const answers: Uint8Array[] = [];
      for (const message of exchange) answers.push(await postgres.execProtocolRaw(message));
      const answer = Buffer.concat(answers);
      client.write(answer);
      if (answer.at(-1) !== IDLE) continue;
      release();
      release = undefined;
    }
  } catch {
    client.destroy(); // it has gone away
  }
  if (release === undefined) return;
  await postgres.exec("ROLLBACK");
  release();
}

/** What a client sends, in messages up to the end of an exchange. */
async function* exchangesOf(client: Socket): AsyncIterable<Buffer[]> {
  let bytes = Buffer.alloc(0);
  let typed = 0; // [bytes] of the type, which no message has before the start-up is over
  let messages: Buffer[] = [];
  for await (const chunk of client) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    for (;;) {
      const length = bytes.length < typed + 4 ? Infinity : typed + bytes.readUInt32BE(typed);
      if (bytes.length < length) break;
      const message = bytes.subarray(0, length);
      bytes = bytes.subarray(length);
      if (typed === 0 && message.readUInt32BE(4) === SSL_REQUEST) {
        client.write("N");
        continue;
      }
      messages.push(message);
      if (typed === 1 && !ENDS.includes(message[0] ?? 0)) continue;
      typed = 1;
      yield messages;
      messages = [];
    }
  }
}

async function main(): Promise<void> {
  const postgres = await PGlite.create();
  const server = createServer((client) => void serve(postgres, client));
  server.listen(Number(process.argv[2]), "127.0.0.1", () => {
    console.log((server.address() as AddressInfo).port);
  });
}

if (process.argv[1] === import.meta.filename) await main(); // the test runner loads it too
