import { expect } from "chai";
import { toBeHex } from "ethers";

import { startFaultyProxy } from "./faultyProxy.ts";
import type { Asked, Fault, FaultyProxy } from "./faultyProxy.ts";
import { Crash, started } from "./crash.ts";
import { Venue } from "../matcher/venue.ts";

const ACCOUNTS = 12;
const STALE = 1000; // [ms] how old the head of a node that stands still is
const FALL = 4000; // [ms]

describe("keeper among failures", function () {
  this.timeout(120_000);
  let venue: Venue;
  let crash: Crash;
  let proxy: FaultyProxy;
  let old: unknown; // a block that was the latest a while ago
  let ageing: NodeJS.Timeout;
  let requests = 0;

  before(async () => {
    venue = await Venue.open();
  });
  after(async () => {
    await venue.close();
  });

  beforeEach(async () => {
    crash = await Crash.open(venue, ACCOUNTS);
    proxy = await startFaultyProxy(venue.anvil.url);
    const remember = async () => {
      old = (await venue.anvil.provider.send("eth_getBlockByNumber", ["latest", false])) as unknown;
    };
    await remember();
    ageing = setInterval(() => void remember(), STALE);
  });
  afterEach(async () => {
    clearInterval(ageing);
    await crash.close();
    await proxy.stop();
  });

  /** A node that drops, delays, so that later ones overtake, answers 429 and lies about its head. */
  function faulty({ method, params }: Asked): Fault | undefined {
    const dice = Math.random();
    if (proxy.requests !== requests) {
      requests = proxy.requests; // what concerns a whole request is decided once for each
      if (dice < 0.02) return { drop: "request" };
      if (dice < 0.04) return { drop: "answer" };
      if (dice < 0.05) return { status: 500 };
      if (dice < 0.06) return { status: 429, headers: { "retry-after": "0" } };
      if (dice < 0.15) return { delay: Math.random() * 200 };
    }
    if (dice < 0.03 && method === "eth_call") return { error: { code: -32000, message: "header not found" } };
    if (dice < 0.1 && method === "eth_blockNumber") return { result: toBeHex(10 ** 9) };
    if (dice < 0.15 && method === "eth_getBlockByNumber" && params[0] === "latest") return { result: old };
    return undefined;
  }

  async function survive(urls: string): Promise<void> {
    await crash.mineAtRandom();
    proxy.fault = faulty;
    const keeper = crash.start({ env: { RPC_URL: urls } });
    await started(keeper);
    for (const end = performance.now() + FALL; performance.now() < end;) await crash.step(300);
    await crash.calm();
    await crash.stop(keeper);
    expect((await crash.expectWhole()).liquidations).to.be.greaterThan(0);
  }

  it("LIQ-5 takes every account and does nothing twice by a node that drops, delays, reorders, lies and limits", async () => {
    await survive(proxy.url);
  });

  it("LIQ-5 takes every account and does nothing twice with an honest node beside it", async () => {
    await survive(`${proxy.url},${venue.anvil.url}`);
  });
});
