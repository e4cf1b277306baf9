import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";
import pino from "pino";

import { runwayOf } from "../../src/keeper/fees.ts";
import { createMetrics } from "../../src/keeper/metrics.ts";
import { LiquidationReports } from "../../src/keeper/reports.ts";
import { KeeperServer, notReady, serverPolicySchema } from "../../src/keeper/server.ts";
import type { KeeperStatus } from "../../src/keeper/server.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { MissingPrice } from "../../src/risk/errors.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { Plimsoll } from "../../src/sdk/client.ts";
import { explain } from "../../src/sdk/explain.ts";
import { freshHouse } from "../helpers/fixture.ts";

const DAY = 86_400; // [s]
const policy = serverPolicySchema.parse({ port: 0 });

function wellStatus(): KeeperStatus {
  const now = Date.now();
  return {
    ...{
      lastPass: now,
      headTime: now / 1000,
      headAge: 0,
      passAge: 0,
      unusablePrices: [],
      unreconciled: undefined,
      gasRunway: 2 * DAY,
    },
  };
}

describe("keeper server", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "keeper-server-"));
  let status: KeeperStatus;
  let server: KeeperServer;
  let database: SqliteDatabase;
  let url: string;
  let unpriced = false;

  before(async () => {
    const { addressBook, ethers } = await freshHouse();
    const client = await Plimsoll.connect(addressBook, ethers.provider);
    database = new SqliteDatabase(path.join(folder, "keeper.db"));
    const decision = { block: 3, action: "wait", result: "none", reason: "not profitable yet" };
    const common = { database, addressBook, logger: pino({ level: "silent" }) };
    server = new KeeperServer({
      ...{ ...common, policy, metrics: createMetrics() },
      reports: await LiquidationReports.open({ ...common, provider: ethers.provider, gasUnderlying: "ETH" }),
      status: () => status,
      why: async (id) => {
        if (unpriced) throw new MissingPrice(0);
        return explain({ id, ...(await client.view(id)), auction: undefined, terms: new Map() }, decision);
      },
    });
    url = `http://127.0.0.1:${await server.listen()}`;
  });
  beforeEach(() => {
    status = wellStatus();
  });
  after(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const get = async (of: string) => {
    const response = await fetch(url + of);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  it("health tells that it lives and when the last pass ended", async () => {
    const lastPass = new Date(status.lastPass!).toISOString();
    expect(await get("/health")).to.deep.equal({ status: 200, body: { alive: true, lastPass } });
    status = { ...status, lastPass: undefined };
    expect(await get("/health")).to.deep.equal({ status: 200, body: { alive: true, lastPass: null } });
  });

  it("ready, and in the metrics", async () => {
    expect(await get("/ready")).to.deep.equal({ status: 200, body: { ready: true, reasons: [] } });
    expect(await (await fetch(`${url}/metrics`)).text()).to.match(/^plimsoll_keeper_ready 1$/m);
  });

  it("LIQ-5 is not ready, and says why and what to do", async () => {
    const now = 1_700_000_000_000; // [ms]
    const well = { ...wellStatus(), headTime: now / 1000 - 60 };
    const reasons = (changes: Partial<KeeperStatus>) => notReady({ ...well, ...changes }, policy, now);
    expect(reasons({})).to.deep.equal([]); // 60 s old, one day of gas: at the bounds
    expect(reasons({ gasRunway: DAY })).to.deep.equal([]);
    expect(reasons({ headTime: now / 1000 - 61 })).to.deep.equal([
      "the newest block is 61 s old, at most 60 s are allowed: look at the node and at this machine's clock",
    ]);
    expect(reasons({ headAge: 60 })).to.deep.equal([]);
    expect(reasons({ headAge: 61 })).to.deep.equal([
      "no new block for 61 s, at most 60 s are allowed: look at the node",
    ]);
    expect(reasons({ headTime: now / 1000 + 600 })).to.deep.equal([]);
    expect(reasons({ headTime: now / 1000 + 601 })).to.deep.equal([
      "the newest block is 601 s ahead of this machine's clock: set the clock",
    ]);
    expect(reasons({ headTime: undefined })[0]).to.match(/^no block is known/);
    expect(reasons({ lastPass: undefined })[0]).to.match(/^no pass has ended yet/);
    expect(reasons({ passAge: 60 })).to.deep.equal([]);
    expect(reasons({ passAge: 61 })).to.deep.equal([
      'no pass has ended for 61 s: look in the log for why they fail ("pass failed")',
    ]);
    expect(reasons({ unusablePrices: ["ETH", "BTC"] })).to.deep.equal([
      "no usable price of ETH, BTC: look at the feeds",
    ]);
    expect(reasons({ unreconciled: "cash of 0x1" })[0]).to.match(/\(cash of 0x1\): run the audit$/);
    expect(reasons({ gasRunway: DAY - 1 })[0]).to.match(
      /^the signer's gas lasts 24\.0 h, 24\.0 h are wanted: send it more/,
    );
    status = { ...status, unusablePrices: ["ETH"] };
    const answer = await get("/ready");
    expect(answer).to.deep.equal({
      status: 503,
      body: { ready: false, reasons: ["no usable price of ETH: look at the feeds"] },
    });
    expect(await (await fetch(`${url}/metrics`)).text()).to.match(/^plimsoll_keeper_ready 0$/m);
  });

  it("why explains an account with the last decision on it", async () => {
    const { alice } = await freshHouse();
    const answer = await get(`/why/0x${accountId(alice.address).toString(16)}`);
    expect(answer.status).to.equal(200);
    expect(answer.body).to.include({ state: "healthy", owner: alice.address });
    expect(answer.body.decision).to.include({ action: "wait", reason: "not profitable yet" });
    expect((await get("/why/bob")).status).to.equal(400);
    expect((await get(`/why/0x${"1".repeat(65)}`)).status).to.equal(400);
    unpriced = true;
    expect(await get("/why/0x1")).to.deep.include({ status: 409 });
    unpriced = false;
  });

  it("is not ready when the database cannot be written", async () => {
    await database.close();
    const { status: code, body } = await get("/ready");
    expect(code).to.equal(503);
    expect(body.reasons).to.deep.equal(["the database cannot be written: look at its disk and connection"]);
  });

  it("listens on this machine only unless told otherwise", () => {
    expect(policy.host).to.equal("127.0.0.1");
    expect(serverPolicySchema.parse({ port: 1, host: "0.0.0.0" }).host).to.equal("0.0.0.0");
    expect(serverPolicySchema.safeParse({ port: 65_536 }).success).to.equal(false);
  });
});

describe("gas runway", () => {
  it("LIQ-5 is the balance over what the last day has cost", () => {
    expect(runwayOf(1n, 0n)).to.equal(Infinity);
    expect(runwayOf(0n, 0n)).to.equal(0);
    expect(runwayOf(10n ** 18n, 4n * 10n ** 17n)).to.equal(2.5 * DAY); // 1 / 0.4
  });
});
