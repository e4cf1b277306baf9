import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingHttpHeaders, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { expect } from "chai";
import pino from "pino";
import { SMTPServer } from "smtp-server";

import {
  channelsOf,
  MissingTransport,
  NoticeNotTaken,
  subscriptionsSchema,
  transportsSchema,
} from "../../src/keeper/channels.ts";
import type { NoticeChannel } from "../../src/keeper/channels.ts";
import { createMetrics } from "../../src/keeper/metrics.ts";
import type { Metrics } from "../../src/keeper/metrics.ts";
import { NoticeDesk } from "../../src/keeper/notices.ts";
import type { Notice } from "../../src/keeper/notices.ts";
import { SqliteDatabase } from "../../src/keeper/sqlite.ts";
import { MissingPrice } from "../../src/risk/errors.ts";
import type { Assessment } from "../../src/risk/types.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import type { AddressBook } from "../../src/sdk/addressBook.ts";
import { Plimsoll } from "../../src/sdk/client.ts";
import { explain } from "../../src/sdk/explain.ts";
import type { Explanation } from "../../src/sdk/explain.ts";
import { readMarketTerms } from "../../src/sdk/read.ts";
import { ETH, freshHouse, wad } from "../helpers/fixture.ts";
import { until } from "../helpers/until.ts";

const SECRET = "a-secret-of-the-webhook";
const TOKEN = "123456:bot-token-that-nobody-may-see";
const PASSWORD = "smtp-password-that-nobody-may-see";
const OWNER = "0x1111111111111111111111111111111111111111";
const STRANGER = "0x2222222222222222222222222222222222222222";
const ACCOUNT = accountId(OWNER);

interface Request {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver on localhost that answers with a status, or never with 0. */
class Receiver {
  readonly requests: Request[] = [];
  status = 200;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        this.requests.push({ url: request.url ?? "", headers: request.headers, body });
        if (this.status !== 0) response.writeHead(this.status, { location: "http://127.0.0.1:1/" }).end("{}");
      });
    });
  }

  static async open(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** An explanation of `ACCOUNT` as the fixture house has it, bob's long of 10 ETH at a price. */
async function explanationAt(price: string): Promise<{ e: Explanation; book: AddressBook }> {
  const house = await freshHouse();
  await house.fund(house.alice, { cash: "1000000" });
  const bob = await house.fund(house.bob, { cash: "1100" });
  await house.trade(house.alice, house.bob, ETH, "10", "2000");
  await house.setPrice(ETH, price);
  const client = await Plimsoll.connect(house.addressBook, house.ethers.provider);
  const view = await client.view(bob);
  const terms = await readMarketTerms(client, house.addressBook, view.block);
  return { e: { ...explain({ id: bob, ...view, auction: undefined, terms }), id: ACCOUNT }, book: house.addressBook };
}

/** E = 890, IM = 990, MM = 594 in whole USD unless said otherwise. */
function standing(equity: number): Assessment {
  return { equity: wad(String(equity)), initialMargin: wad("990"), maintenanceMargin: wad("594") };
}

describe("notices", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "notices-"));
  let call: Explanation;
  let sunk: Explanation;
  let book: AddressBook;
  let receiver: Receiver;
  let database: SqliteDatabase;
  let metrics: Metrics;
  let log: string[];
  let desk: NoticeDesk | undefined;
  let files = 0;
  const closing: (() => void)[] = [];

  before(async () => {
    ({ e: call, book } = await explanationAt("1980"));
    ({ e: sunk } = await explanationAt("1945"));
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    receiver = await Receiver.open();
    database = new SqliteDatabase(path.join(folder, `${++files}.db`));
    metrics = createMetrics();
    log = [];
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) close();
    await desk?.close();
    desk = undefined;
    await database.close();
    receiver.close();
  });

  const logger = () => pino({ level: "trace" }, { write: (line: string) => void log.push(line) });
  const hook = (to = receiver.url, name = "hook", whose = "*") =>
    channelsOf(subscriptionsSchema.parse([{ name, for: whose, webhook: { url: to, secret: SECRET } }]), {});
  const open = async (channels: readonly NoticeChannel[]) => {
    const options = { database, channels, addressBook: book, policy: { growth: 250_000n }, metrics, logger: logger() };
    return (desk = await NoticeDesk.open(options));
  };
  const notices = (of = receiver) => of.requests.map(({ body }) => JSON.parse(body) as Notice);

  it("MM-7 says how much, in which assets, by when, what happens otherwise, and the cheapest cure", async () => {
    (await open(hook())).see(ACCOUNT, call, () => call);
    await until(() => receiver.requests.length === 1, "a request");
    const [notice] = notices();
    expect(notice).to.include({ kind: "marginCall", owner: OWNER, account: `0x${ACCOUNT.toString(16)}` });
    // E = 1,100 − 10 fee − 200 = 890; IM = 5/3 · 19,800 · (3 % + 2 % · 19,800/50,000,000) = 990.261360…
    expect(notice!.cure.deposits[0]).to.deep.equal({ asset: "USDC", amount: "100.261361" });
    expect(notice!.cure.closing?.market).to.equal("ETH-PERP");
    expect(notice!.prices).to.have.length(1);
    const { text } = notice!;
    expect(text).to.match(/equity 890\.00 USD, initial margin 990\.26 USD/);
    expect(text)
      .to.include("- deposit 100.261361 USDC\n- deposit ")
      .and.to.match(/- trade -1\.\d+ ETH-PERP/);
    expect(text).to.match(
      /By when: there is no grace period\..+\n- ETH at or below 1,949\.\d\d USD, now 1,980\.00 USD/,
    );
    expect(text).to.match(/Otherwise: below maintenance margin anyone may take over/);
  });

  it("MM-7 of a liquidatable account says that it is late", async () => {
    (await open(hook())).see(ACCOUNT, sunk, () => sunk);
    await until(() => receiver.requests.length === 1, "a request");
    expect(notices()[0]).to.include({ kind: "liquidatable" });
    expect(notices()[0]!.text).to.include("By when: now.").and.to.include("up to 29.18 USD now"); // 5 % of 583.65
  });

  it("MM-6 one notice for each account, kind and episode, and another when the shortfall has grown by a quarter", async () => {
    const d = await open(hook());
    const kinds = async (count: number) => {
      await until(() => receiver.requests.length >= count, `${count} requests`);
      await sleep(1100); // another look
      expect(receiver.requests.length).to.equal(count);
      return notices().map(({ kind }) => kind);
    };
    d.see(ACCOUNT, standing(890), () => call); // lacks 100
    d.see(ACCOUNT, standing(890), () => call);
    d.see(ACCOUNT, standing(865), () => call); // 125: not more than a quarter more
    expect(await kinds(1)).to.deep.equal(["marginCall"]);
    d.see(ACCOUNT, standing(864), () => ({ ...call, block: call.block + 1 }));
    d.see(ACCOUNT, standing(593), () => sunk);
    d.see(ACCOUNT, standing(700), () => sunk); // a margin call again, and a worse one than was told
    expect(await kinds(4)).to.deep.equal(["marginCall", "marginCall", "liquidatable", "marginCall"]);
    d.see(ACCOUNT, standing(990), () => call); // equality ends the episode
    d.see(ACCOUNT, standing(980), () => ({ ...call, block: call.block + 2 }));
    expect((await kinds(5)).at(-1)).to.equal("marginCall");
  });

  it("MM-6 a restart neither repeats nor forgets", async () => {
    receiver.status = 503;
    const first = await open(hook());
    first.see(ACCOUNT, call, () => call);
    await until(() => receiver.requests.length === 1, "a first attempt");
    await first.close();
    receiver.status = 200;
    const second = await open(hook());
    second.see(ACCOUNT, call, () => call);
    await until(() => receiver.requests.length === 2, "a second attempt after the pause of 5 s, or less");
    await sleep(1100);
    const [before, after] = notices();
    expect(after!.id).to.equal(before!.id);
    expect(receiver.requests.length).to.equal(2);
    expect(receiver.requests[1]!.headers["plimsoll-notice"]).to.equal(after!.id);
  }).timeout(20_000);

  it("MM-6 pauses grow, and a notice that is not true any more is not sent", async () => {
    receiver.status = 500;
    const d = await open(hook());
    d.see(ACCOUNT, call, () => call);
    const row = async () => (await database.all("SELECT * FROM notice_deliveries"))[0];
    await until(async () => Number((await row())?.attempts) === 1, "a first attempt");
    const pauseOf = async () => Number((await row())!.due) - Date.now();
    expect(await pauseOf()).to.be.within(4_000, 5_000);
    await database.run("UPDATE notice_deliveries SET due = 0, attempts = 3");
    await until(async () => Number((await row())?.attempts) === 4, "a fourth attempt");
    expect(await pauseOf()).to.be.within(39_000, 40_000); // 5 s · 2³
    d.see(ACCOUNT, standing(990), () => call);
    await until(async () => (await row()) === undefined, "it is forgotten");
    expect(await metrics.registry.metrics()).to.include('plimsoll_keeper_notices_total{result="postponed"} 2');
  });

  it("MM-6 what was to be sent before the clock was set back is sent at once", async () => {
    receiver.status = 500;
    const d = await open(hook());
    d.see(ACCOUNT, call, () => call);
    await until(() => receiver.requests.length === 1, "a first attempt");
    receiver.status = 200;
    await sleep(100);
    await database.run("UPDATE notice_deliveries SET due = due + 3 * 3600 * 1000");
    await until(() => receiver.requests.length === 2, "a second attempt");
  });

  it("MM-6 is given up after twenty attempts", async () => {
    receiver.status = 500;
    const d = await open(hook());
    d.see(ACCOUNT, call, () => call);
    await until(() => receiver.requests.length === 1, "an attempt");
    await database.run("UPDATE notice_deliveries SET due = 0, attempts = 19");
    await until(async () => (await database.all("SELECT * FROM notice_deliveries")).length === 0, "it is given up");
    expect(await metrics.registry.metrics()).to.include('plimsoll_keeper_notices_total{result="givenUp"} 1');
  });

  it("MM-6 a channel that hangs or throws anything holds up no other, and seeing costs nothing", async () => {
    const silent = await Receiver.open();
    silent.status = 0;
    closing.push(() => {
      silent.close();
    });
    const broken: NoticeChannel = { name: "broken", for: "*", send: () => Promise.reject(new TypeError(SECRET)) };
    const d = await open([broken, ...hook(silent.url, "silent"), ...hook()]);
    const start = performance.now();
    for (let i = 0n; i < 1000n; ++i) d.see(ACCOUNT + i, call, () => ({ ...call, id: ACCOUNT + i }));
    expect(performance.now() - start).to.be.lessThan(50);
    await until(() => receiver.requests.length >= 10, "the others are told");
    expect(silent.requests.length).to.equal(1);
    expect(log.join("")).to.include("TypeError").and.not.include(SECRET);
  });

  it("MM-6 an account that nobody can explain holds up no other, and is told of when it is seen again", async () => {
    const d = await open(hook());
    d.see(ACCOUNT, call, () => {
      throw new MissingPrice(0);
    });
    d.see(ACCOUNT + 1n, call, () => ({ ...call, id: ACCOUNT + 1n }));
    await until(() => receiver.requests.length === 1, "the other is told");
    d.see(ACCOUNT, call, () => call);
    await until(() => receiver.requests.length === 2, "it is told");
    expect(notices().map(({ account }) => BigInt(account))).to.deep.equal([ACCOUNT + 1n, ACCOUNT]);
  });

  it("MM-6 two keepers that share a database tell once", async () => {
    const d = await open(hook());
    const other = await NoticeDesk.open({
      ...{ database, channels: hook(), addressBook: book, policy: { growth: 0n }, metrics, logger: logger() },
    });
    d.see(ACCOUNT, call, () => call);
    other.see(ACCOUNT, call, () => ({ ...call, block: call.block + 1 }));
    await sleep(2500);
    await other.close();
    expect(receiver.requests.length).to.equal(1);
  });

  it("MM-6 an owner is told of his accounts only", async () => {
    const d = await open([
      ...hook(`${receiver.url}/owner`, "owner", OWNER),
      ...hook(`${receiver.url}/account`, "account", `0x${(ACCOUNT + 1n).toString(16)}`),
      ...hook(`${receiver.url}/stranger`, "stranger", STRANGER),
      ...hook(`${receiver.url}/all`, "operator"),
    ]);
    d.see(ACCOUNT, call, () => call);
    d.see(ACCOUNT + 1n, call, () => ({ ...call, id: ACCOUNT + 1n }));
    await until(() => receiver.requests.length === 5, "five requests");
    await sleep(1100);
    expect(receiver.requests.map(({ url }) => url).sort()).to.deep.equal([
      "/account",
      "/all",
      "/all",
      "/owner",
      "/owner",
    ]);
  });

  it("a webhook is signed over time and body, and follows no redirect", async () => {
    (await open(hook())).see(ACCOUNT, call, () => call);
    await until(() => receiver.requests.length === 1, "a request");
    const [{ headers, body }] = receiver.requests as [Request];
    const [, time, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["plimsoll-signature"]))!;
    expect(Math.abs(Number(time) - Date.now() / 1000)).to.be.lessThan(5);
    expect(createHmac("sha256", SECRET).update(`${time!}.${body}`).digest("hex")).to.equal(signature);
    receiver.status = 302;
    const error: unknown = await hook()[0]!
      .send(JSON.parse(body) as Notice)
      .catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(NoticeNotTaken);
  });

  it("Telegram and e-mail get the text, and no secret stands in a log or an error", async () => {
    const mails: string[] = [];
    const smtp = new SMTPServer({
      ...{ hideSTARTTLS: true, allowInsecureAuth: true },
      onAuth: ({ username, password }, _session, done) => {
        if (username === "keeper" && password === PASSWORD) done(null, { user: username });
        else done(new Error(`wrong password ${password ?? ""}`));
      },
      onData: (stream, _session, done) => {
        let mail = "";
        stream.on("data", (chunk: Buffer) => (mail += chunk.toString()));
        stream.on("end", () => {
          mails.push(mail);
          done();
        });
      },
    });
    await new Promise<void>((resolve) => smtp.listen(0, "127.0.0.1", resolve));
    closing.push(() => {
      smtp.close();
    });
    const { port } = smtp.server.address() as AddressInfo;
    const transports = (password: string) =>
      transportsSchema.parse({
        telegram: { token: TOKEN, baseUrl: receiver.url },
        smtp: { host: "127.0.0.1", port, secure: false, user: "keeper", password, from: "keeper@example.org" },
      });
    const subscriptions = subscriptionsSchema.parse([
      { name: "chat", for: "*", telegram: { chat: "42" } },
      { name: "mail", for: "*", email: { to: "owner@example.org" } },
    ]);
    const d = await open(channelsOf(subscriptions, transports(PASSWORD)));
    d.see(ACCOUNT, call, () => call);
    await until(() => mails.length === 1 && receiver.requests.length === 1, "both are told");
    expect(receiver.requests[0]!.url).to.equal(`/bot${TOKEN}/sendMessage`);
    const sent = JSON.parse(receiver.requests[0]!.body) as Record<string, string>;
    expect(sent.chat_id).to.equal("42");
    expect(sent.text)
      .to.match(/^Margin call: account 0x/)
      .and.include("- deposit 100.261361 USDC");
    expect(mails[0])
      .to.match(/^From: keeper@example\.org\r?$/m)
      .and.match(/^Subject: Margin call/m);
    expect(mails[0]).to.include("deposit 100.261361 USDC");

    receiver.status = 401; // and now both refuse
    const notice = { id: "x", subject: "s", text: "t" } as Notice;
    for (const channel of channelsOf(subscriptions, transports(`${PASSWORD}-wrong`))) {
      const error: unknown = await channel.send(notice).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(NoticeNotTaken);
      expect(JSON.stringify([error, String(error), (error as Error).stack])).to.not.match(/bot-token|smtp-password/);
      expect((error as NoticeNotTaken).code).to.equal(channel.name === "chat" ? "HTTP 401" : "EAUTH");
    }
    const [chat] = channelsOf(subscriptions, transports(PASSWORD));
    receiver.close();
    const refused: unknown = await chat!.send(notice).catch((thrown: unknown) => thrown);
    expect((refused as NoticeNotTaken).code).to.match(/^(ECONNREFUSED|UND_ERR_SOCKET)$/);
    expect(log.join("")).to.not.match(/bot-token|smtp-password|a-secret-of/);
  });

  it("the file of subscriptions is checked, and says what to put there", () => {
    const problems = (list: unknown) =>
      subscriptionsSchema.safeParse(list).error?.issues.map(({ message }) => message) ?? [];
    const to = { name: "a", for: "*" };
    expect(problems([{ ...to, webhook: { url: "http://example.org", secret: SECRET } }])).to.deep.equal([
      "give an https:// address",
    ]);
    expect(problems([{ ...to, webhook: { url: "https://example.org", secret: "short" } }])[0]).to.match(
      /16 characters/,
    );
    expect(problems([{ ...to, telegram: { chat: "me" } }])[0]).to.match(/chat's number/);
    expect(problems([{ ...to, email: { to: "nobody" } }])[0]).to.match(/e-mail address/);
    expect(problems([{ ...to, for: "bob", email: { to: "a@example.org" } }])[0]).to.match(/owner's address/);
    expect(problems([to])[0]).to.equal("give one of webhook, telegram and email");
    const mail = { ...to, email: { to: "a@example.org" } };
    expect(problems([mail, mail])[0]).to.match(/two subscriptions are called a/);
    expect(() => channelsOf(subscriptionsSchema.parse([mail]), {})).to.throw(MissingTransport, /SMTP server/);
    const chat = { ...to, telegram: { chat: "1" } };
    expect(() => channelsOf(subscriptionsSchema.parse([chat]), {})).to.throw(MissingTransport, /bot token/);
  });
});
