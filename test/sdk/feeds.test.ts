import { expect } from "chai";
import { JsonRpcProvider } from "ethers";

import type { Plimsoll } from "../../src/sdk/client.ts";
import { feedStatus } from "../../src/sdk/feeds.ts";

describe("feedStatus", () => {
  it("OR-6 tells a price that is refused from a node that does not answer", async () => {
    const offline = new Error("offline");
    const house = {
      priceOracle: {
        feedOf: () => Promise.resolve({ aggregator: `0x${"11".repeat(20)}`, heartbeat: 60n }),
        latest: () => Promise.reject(offline),
        lastGood: () => Promise.resolve({ snapshot: 0n, time: 0n }),
      },
      provider: new JsonRpcProvider("http://127.0.0.1:1", 1, { staticNetwork: true }),
    };
    const error: unknown = await feedStatus(house as unknown as Plimsoll, 0).catch((thrown: unknown) => thrown);
    expect(error).to.equal(offline);
    house.provider.destroy();
  });
});
