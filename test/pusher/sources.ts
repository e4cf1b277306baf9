import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { Wallet } from "ethers";

import type { Source } from "../../src/pusher/judge.ts";
import { priceAnswer, signPrice } from "../../src/pusher/price.ts";
import type { Price } from "../../src/pusher/price.ts";

/** A source on this machine that signs whatever it is told to. */
export interface TestSource extends Source {
  readonly wallet: Wallet;
  /** What it answers, made when it is asked. */
  answer: () => Promise<string>;
  /** Answers this price, signed by itself. */
  say: (price: Price) => void;
  stop: () => Promise<void>;
}

/** Starts a source that has nothing to say yet. */
export async function startSource(name: string): Promise<TestSource> {
  const wallet = new Wallet(Wallet.createRandom().privateKey);
  const server = createServer((_request, response) => {
    source.answer().then(
      (text) => response.writeHead(200, { "content-type": "application/json" }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const source: TestSource = {
    ...{ name, wallet, signer: wallet.address },
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    answer: () => Promise.reject(new Error("nothing to say")),
    say: (price) => {
      source.answer = async () => JSON.stringify(priceAnswer(await signPrice(wallet, price)));
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
  return source;
}
