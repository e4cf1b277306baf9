import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import { expect } from "chai";
import { recoverAddress, Wallet, ZeroAddress } from "ethers";

import { ANY, hashInstruction } from "../../src/sdk/instructions.ts";
import { MatcherClient, MatcherRefusal, MatcherUnreachable } from "../../src/sdk/matcher.ts";
import { freePort } from "../helpers/anvil.ts";

const VENUE = { chainId: 1, contracts: { exchange: ZeroAddress } };

interface Request {
  readonly path: string;
  readonly body: string;
}

describe("MatcherClient", () => {
  const owner = Wallet.createRandom();
  let server: Server;
  let client: MatcherClient;
  let asked: Request[];
  let answer: { readonly status: number; readonly text: string };

  before(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        asked.push({ path: request.url ?? "", body: Buffer.concat(chunks).toString() });
        response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.text);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    client = new MatcherClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, VENUE);
  });
  after(() => server.close());
  beforeEach(() => {
    asked = [];
    answer = { status: 200, text: '{"cancelled":[],"orders":[],"deadline":null}' };
  });

  const failure = (action: Promise<unknown>): Promise<unknown> => action.catch((error: unknown) => error);

  it("tells a refusal with its reason, status and numbers", async () => {
    answer = { status: 422, text: '{"error":"InsufficientMargin","message":"too little","equity":"12"}' };
    const error = await failure(client.depth(0));
    expect(error).to.be.instanceOf(MatcherRefusal);
    expect(error).to.include({ reason: "InsufficientMargin", status: 422, message: "too little" });
    expect((error as MatcherRefusal).fields).to.deep.equal({ equity: "12" });
  });

  it("tells what no matcher answers, or nobody, from a refusal", async () => {
    for (const [status, text] of [
      [502, "<html>bad gateway</html>"],
      [418, '{"error":"Teapot"}'],
      [418, '{"error":"toString"}'],
      [500, "null"],
    ] as const) {
      answer = { status, text };
      expect(await failure(client.order("0x12")), text).to.be.instanceOf(MatcherUnreachable);
    }
    const url = `http://127.0.0.1:${await freePort()}`;
    const error = await failure(new MatcherClient(url, VENUE).fills(0));
    expect(error).to.be.instanceOf(MatcherUnreachable).with.property("url", url);
  });

  it("signs instructions whose stamps grow, with what is not named as any", async () => {
    const which = { owner: owner.address, market: 3 };
    await Promise.all([1, 2, 3].map(() => client.cancelMany(owner, which))); // within one millisecond
    await client.heartbeat(owner, owner.address, 5000);
    const bodies = asked.map(({ body }) => JSON.parse(body) as { stamp: number; signature: string });
    const stamps = bodies.map(({ stamp }) => stamp);
    expect(new Set(stamps).size).to.equal(4);
    expect(asked.map(({ path }) => path)).to.deep.equal([...Array<string>(3).fill("/cancel-many"), "/heartbeat"]);
    expect(bodies[0]).to.include({ account: ANY.toString(), market: "3", belowNonce: ANY.toString() });
    const cancel = { kind: "cancelMany", owner: owner.address, account: ANY, market: 3n, belowNonce: ANY } as const;
    const beat = { kind: "heartbeat", owner: owner.address, timeout: 5000, stamp: stamps[3]! } as const;
    const hashes = [hashInstruction(VENUE, { ...cancel, stamp: stamps[0]! }), hashInstruction(VENUE, beat)];
    const signers = [bodies[0]!, bodies[3]!].map(({ signature }, i) => recoverAddress(hashes[i]!, signature));
    expect(signers).to.deep.equal([owner.address, owner.address]);
  });
});
