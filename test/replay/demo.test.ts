import { expect } from "chai";

import { KINDS } from "../../src/replay/cast.ts";
import { page } from "../../src/replay/page.ts";
import { replay } from "../../src/replay/replay.ts";
import type { Replay } from "../../src/replay/replay.ts";
import { report } from "../../src/replay/report.ts";
import { syntheticCrash } from "../../src/replay/synthetic.ts";

const MINUTES = 60;
const AFTERMATH = 5;

describe("Replay of a crash on a real node", () => {
  let result: Replay;
  const told: number[] = [];

  before(async function () {
    this.timeout(240_000);
    result = await replay(syntheticCrash(1, MINUTES), (minute) => told.push(minute));
  });

  it("plays every minute and tells of each", () => {
    expect(told).to.deep.equal(Array.from({ length: MINUTES + AFTERMATH }, (_, i) => i + 1));
    expect(result.path.times).to.have.length(MINUTES + AFTERMATH);
    expect(result.fund).to.have.length(MINUTES + AFTERMATH);
  });

  it("opens at least 40 accounts of every kind and trades them through signed orders", () => {
    expect(result.fates.length).to.be.at.least(40);
    expect(new Set(result.fates.map((f) => f.kind))).to.deep.equal(new Set(KINDS));
    expect(new Set(result.fates.map((f) => f.id)).size).to.equal(result.fates.length);
    expect(result.chronicle.trades).to.be.at.least(40);
  });

  it("CRA-2 SEG-4 leaves every invariant whole", () => {
    expect(result.findings.filter((f) => !f.holds)).to.deep.equal([]);
    // custody of four tokens, three of lending, three of each market, overlooked accounts, both risk engines
    expect(result.findings).to.have.length(4 + 3 + 2 * 3 + 2);
  });

  it("CRA-4 liquidates longs that a fall of 35 % leaves below MM, and nobody who is hedged or short", () => {
    const of = (kind: string) => result.fates.filter((f) => f.kind === kind);
    // at 5 × and more a long's equity of at most 20 % is gone after a fall of 26 % (BTC) or 35 % (ETH)
    expect(of("long").filter((f) => f.slices > 0).length).to.be.at.least(9);
    expect(of("wrong-way").filter((f) => f.slices > 0).length).to.be.at.least(4);
    for (const fate of [...of("hedged"), ...of("short")]) expect(fate.slices, fate.name).to.equal(0);
  });

  it("ADL-4 CRA-4 accounts for what came to the fund and left it", () => {
    const { chronicle: c, fundStart, fundEnd } = result;
    const income = c.penaltiesToFund + c.feesToFund + c.interestToFund;
    expect(fundEnd - fundStart).to.equal(income - c.fromFund - c.rescues - c.badDebtRepaid);
    expect(c.deficits).to.equal(c.fromFund + c.socialised + c.fromLenders + c.badDebtRecorded);
  });

  it("LIQ-5 MAM-6 has every account taken in the first pass after that pays, as seen by who does not trust the keeper", () => {
    const taken = new Map(result.sightings.map(({ id, takes }) => [id, takes.length]));
    for (const { id, name, slices } of result.fates) expect(taken.get(id) ?? 0, name).to.equal(slices);
    for (const { id, takes, verdicts } of result.sightings) {
      expect(verdicts, id.toString()).to.not.include("late").and.not.include("missed");
      if (takes.length > 0) expect(verdicts).to.include("on time");
    }
  });

  it("writes one page that needs nothing but itself and shows every plot", () => {
    const html = page(result);
    expect(html).not.to.match(/(?:src|href)\s*=|url\(|@import|https?:\/\//);
    // prices, regime, slices, fund, and E against MM of one account of each kind
    expect(html.match(/<svg viewBox="0 0 \d+ \d+" role="img"/g)).to.have.length(4 + KINDS.length);
    for (const kind of KINDS) expect(html).to.contain(`<span>${kind}</span>`);
    expect(html).to.contain("maintenance margin MM");
    expect(html).not.to.match(/NaN|undefined|Infinity/);
  });

  it("reports every account and every invariant", () => {
    const text = report(result);
    for (const { name } of result.fates) expect(text).to.contain(name);
    for (const { name, numbers } of result.findings) expect(text).to.contain(name).and.to.contain(numbers);
  });
});
