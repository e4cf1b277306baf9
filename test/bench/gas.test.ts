import { expect } from "chai";

import { measureGas } from "../../bench/measure.ts";
import { LIMITS, readSnapshot } from "../../bench/snapshot.ts";

const NOISE = 60; // calldata of signatures and timestamps

describe("Gas", () => {
  const snapshot = readSnapshot();

  for (const feed of ["mock", "proxy"] as const) {
    it(`is that of the committed snapshot (${feed} feed); npm run bench renews it`, async () => {
      const measured = await measureGas(feed === "proxy");
      expect(Object.keys(measured)).to.deep.equal(Object.keys(snapshot[feed]));
      for (const [name, gas] of Object.entries(measured))
        expect(gas, name).to.be.closeTo(snapshot[feed][name] ?? 0, NOISE);
    });
  }

  it("CRA-1 of a check is what the account holds, not what is listed", () => {
    for (const of of [snapshot.mock, snapshot.proxy]) {
      const held = of["check, 16 markets, own underlyings"];
      expect(of["check, 16 markets, own underlyings, 64 listed"]).to.be.closeTo(held ?? 0, NOISE);
    }
  });

  it("MMS-2 is within its limits", () => {
    for (const [name, limit] of Object.entries(LIMITS)) expect(snapshot.mock[name], name).to.be.at.most(limit);
  });
});
