import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";
import { WebSocketServer } from "ws";

import { Heads } from "../../src/keeper/follow.ts";
import { startAnvil } from "../helpers/anvil.ts";
import type { Anvil } from "../helpers/anvil.ts";
import { until } from "../helpers/until.ts";

const LONG = 600_000; // [ms] longer than any test

/** Passes connections on to a port, until it is told to cut them. */
class Proxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  accepted = 0;

  constructor(port: number) {
    this.#server = createServer((from) => {
      if (this.#isCut) return void from.destroy();
      this.accepted += 1;
      const to = connect(port, "127.0.0.1");
      for (const socket of [from, to]) {
        this.#sockets.add(socket);
        socket.on("error", () => undefined);
        socket.on("close", () => {
          this.#sockets.delete(socket);
          from.destroy();
          to.destroy();
        });
      }
      from.pipe(to).pipe(from);
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

describe("heads", () => {
  let anvil: Anvil;
  let proxy: Proxy;
  let url: string;
  const closing: Heads[] = [];

  before(async () => {
    anvil = await startAnvil();
  });
  after(async () => {
    await anvil.stop();
  });
  beforeEach(async () => {
    proxy = new Proxy(Number(new URL(anvil.url).port));
    url = await proxy.listen();
  });
  afterEach(async () => {
    for (const heads of closing.splice(0)) await heads.close();
    proxy.close();
  });

  function follow(options: Partial<ConstructorParameters<typeof Heads>[0]> = {}): Heads {
    const heads = new Heads({
      webSocketUrl: url,
      chainId: 31337,
      pollInterval: LONG,
      maxPause: 200,
      maxSilence: LONG,
      ...options,
    });
    closing.push(heads);
    return heads;
  }

  /** Whether `next` resolves within a second of time. */
  async function hears(heads: Heads): Promise<boolean> {
    const over = AbortSignal.timeout(1000);
    await heads.next(over);
    return !over.aborted;
  }

  const mine = () => anvil.provider.send("evm_mine", []);

  it("MAM-6 wakes at every block that a node announces, and not between them", async () => {
    const heads = follow();
    expect(await hears(heads)).to.equal(true); // the connection stands: there may be something new
    for (let i = 0; i < 3; ++i) {
      const heard = hears(heads);
      await mine();
      expect(await heard).to.equal(true);
    }
    expect(await hears(heads)).to.equal(false);
  });

  it("MAM-6 remembers a block that was announced while nobody waited", async () => {
    const heads = follow();
    await hears(heads);
    await mine();
    await sleep(200);
    expect(await hears(heads)).to.equal(true);
  });

  it("MAM-6 polls while the connection is cut and hears again when it is mended", async () => {
    const heads = follow({ pollInterval: 50 });
    await until(() => heads.isConnected);
    for (let round = 0; round < 3; ++round) {
      proxy.cut();
      await until(() => !heads.isConnected);
      await hears(heads);
      const before = performance.now();
      expect(await hears(heads)).to.equal(true); // by the poll interval
      expect(performance.now() - before).to.be.lessThan(500);
      proxy.mend();
      await until(() => heads.isConnected);
      await hears(heads);
      const heard = hears(heads);
      await mine();
      expect(await heard).to.equal(true);
    }
  });

  it("MAM-6 pauses longer and longer between attempts to connect", async () => {
    proxy.cut();
    const attempts: number[] = [];
    const silent = createServer((socket) => {
      attempts.push(performance.now());
      socket.destroy();
    });
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    follow({ webSocketUrl: `ws://127.0.0.1:${(silent.address() as AddressInfo).port}`, maxPause: 400 });
    await until(() => attempts.length === 5); // after 200, 400, 400, 400 ms
    silent.close();
    const pauses = attempts.slice(1).map((time, i) => time - attempts[i]!);
    expect(pauses[0]).to.be.within(150, 390);
    for (const pause of pauses.slice(1)) expect(pause).to.be.within(390, 1000);
  });

  it("MAM-6 gives up a connection over which nothing comes, and one that talks nonsense", async () => {
    const heads = follow({ maxSilence: 300 });
    await until(() => heads.isConnected);
    await until(() => proxy.accepted >= 3); // no block is mined here
    const babbler = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    let connections = 0;
    babbler.on("connection", (socket) => {
      connections += 1;
      socket.send("no JSON");
    });
    await once(babbler, "listening");
    const { port } = babbler.address() as AddressInfo;
    const other = follow({ webSocketUrl: `ws://127.0.0.1:${port}` });
    await until(() => connections >= 2);
    expect(other.isConnected).to.equal(false);
    babbler.close();
  });

  it("MAM-6 does not listen to a node of another chain", async () => {
    const heads = follow({ chainId: 1 });
    await until(() => proxy.accepted >= 2);
    expect(heads.isConnected).to.equal(false);
  });

  it("MAM-6 only polls without a node that announces blocks", async () => {
    const heads = new Heads({ chainId: 31337, pollInterval: 20, maxPause: 200, maxSilence: LONG });
    expect(await hears(heads)).to.equal(true);
    await heads.close();
  });
});
