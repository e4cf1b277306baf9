import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { expect } from "chai";
import { encodeBytes32String, keccak256, toUtf8Bytes, verifyMessage } from "ethers";
import type { Signer } from "ethers";

import type { AffectedAccount } from "../../src/calibrate/affected.ts";
import { expectCollateralRisk, expectRegime, expectUnderlyingRisk } from "../../src/calibrate/bounds.ts";
import { ParameterOutOfBounds } from "../../src/calibrate/errors.ts";
import { readProposal, seal } from "../../src/calibrate/proposal.ts";
import type { Change } from "../../src/calibrate/proposal.ts";
import { Mirror } from "../../src/keeper/mirror.ts";
import { variancesOf } from "../../src/replay/insolvency/regime.ts";
import { targetFactor } from "../../src/risk/regime.ts";
import type { MarginState } from "../../src/risk/types.ts";
import type { Call } from "../../src/sdk/calls.ts";
import { decodeError } from "../../src/sdk/errors.ts";
import { parseWad } from "../../src/sdk/units.ts";
import { MockERC20__factory, PriceOracle__factory, RiskEngine__factory } from "../../types/index.ts";
import { setAnswer } from "../helpers/anvil.ts";
import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";
import { ask, fails, tell } from "./support.ts";

const ETH = 0;
const WETH = 0;
const WSTETH = 2;
const STANDS = { shock: 30_000n, slope: 20_000n, depth: 50_000_000n }; // of ETH
const YEAR_MINUTES = 525_600;
const HOUR = 3600;

/** What machines are told. */
interface Told {
  readonly hash: string;
  readonly signer: string | null;
  readonly parameters: readonly {
    readonly of: string;
    readonly changes: readonly { readonly name: string; readonly proposed: string }[];
    readonly call: Call;
  }[];
  readonly accounts: number;
  readonly affected: readonly (Record<"deposit" | "id" | "notional", string> &
    Pick<AffectedAccount, "atOnce" | "before" | "otherwise" | "settled">)[];
  readonly regimes: readonly { readonly factor: string; readonly target: string }[];
}

describe("plimsoll calibrate", () => {
  let venue: Venue;
  let admin: Signer;
  let [maker, safe, called, sinking, borrower]: Trader[] = [];
  let candles: string;
  let proposal: string;
  let snapshot: string;

  /** 660 minutes of ETH that goes up and down by the same step, at a volatility of `sigma` a year; the last 210 at one of `later`. */
  function candlesOf(name: string, sigma: number, later = sigma): string {
    const rows = Array.from({ length: 660 }, (_, i) => {
      const step = (i < 450 ? sigma : later) / Math.sqrt(YEAR_MINUTES);
      const close = (2000 * Math.exp(i % 2 === 0 ? 0 : step)).toFixed(8);
      return `${1_767_225_600 + 60 * i},1,1,1,${close},100000`;
    });
    const file = path.join(venue.folder, name);
    writeFileSync(file, ["timestamp,open,high,low,close,volume", ...rows].join("\n"));
    return file;
  }

  /** The oracle has seen ETH move by 0.9 % and back. Longs of 10 ETH with 15 %, 7 % and 5.1 % of it in cash; WETH behind a debt. */
  before(async () => {
    venue = await Venue.open();
    admin = await venue.anvil.provider.getSigner(0);
    const oracle = PriceOracle__factory.connect(venue.book.contracts.priceOracle, admin);
    for (const usd of [2018n, 2000n]) {
      await setAnswer(venue.anvil, venue.book.underlyings[ETH]!.feed, usd * 10n ** 8n);
      await (await oracle.observe(ETH, 10)).wait();
    }
    maker = await venue.trader("1000000");
    [safe, called, sinking] = [await venue.trader("3010"), await venue.trader("1410"), await venue.trader("1030")];
    for (const trader of [safe, called, sinking]) {
      const orders = [
        await venue.order(maker, "-10", "2000", { resting: true }),
        await venue.order(trader, "10", "2000"),
      ];
      await maker.house.settleOrders(orders, [{ maker: 0, taker: 1 }]);
    }
    await maker.house.lend(maker.account, "100000");
    borrower = await venue.trader("1");
    const weth = MockERC20__factory.connect(venue.book.collaterals[WETH]!.token, borrower.wallet);
    await (await weth.mint(borrower.wallet, parseWad("2"))).wait();
    await borrower.house.deposit(borrower.account, "WETH", "2");
    await ask(venue, ["withdraw", "3000"], { as: borrower });
    candles = candlesOf("ETH-USD_calm.csv", 0.2);
    proposal = path.join(venue.folder, "proposal.json");
    await ask(venue, ["calibrate", "propose", "--prices", candles, "--out", proposal, "--sign"], { as: maker });
  });
  after(() => venue.close());
  beforeEach(async () => {
    snapshot = (await venue.anvil.provider.send("evm_snapshot", [])) as string;
  });
  afterEach(() => venue.anvil.provider.send("evm_revert", [snapshot]));

  /** Every account with its state, as the clearinghouse says. */
  async function statesOnChain(): Promise<Map<bigint, MarginState>> {
    const mirror = new Mirror(venue.anvil.provider, venue.book);
    await mirror.sync();
    const states = new Map<bigint, MarginState>();
    for (const id of mirror.accounts.keys()) states.set(id, (await maker!.house.healthOnChain(id)).state);
    return states;
  }

  it("MM-5 MM-6 the accounts that it lists are those that the contracts then call and liquidate", async () => {
    const told = await ask<Told>(venue, ["calibrate", "check", proposal]);
    // κ as its hedges need it, (3 % + 3 %) / 2φ = 1.8 %, on a σ_ref of 20 %: IM 9 % where σ is 60 %, MM 5.4 % when μ(t) has come to 3
    expect(told.affected.map(({ id, before, atOnce, settled }) => ({ id, before, atOnce, settled }))).to.deep.equal([
      { id: sinking!.account.toString(), before: "healthy", atOnce: "marginCall", settled: "liquidatable" },
      { id: called!.account.toString(), before: "healthy", atOnce: "marginCall", settled: "marginCall" },
    ]);
    expect(told.affected.map(({ notional }) => notional)).to.deep.equal(["20000", "20000"]);

    const listed = new Map(told.affected.map((one) => [BigInt(one.id), one]));
    const before = await statesOnChain();
    expect(before.size).to.equal(told.accounts);
    for (const { call } of told.parameters)
      await (await admin.sendTransaction({ to: call.target, data: call.data, gasLimit: 1_000_000n })).wait();
    for (const [id, state] of await statesOnChain()) expect(state).to.equal(listed.get(id)?.atOnce ?? before.get(id));
    for (const { id, deposit } of told.affected) {
      const { equity, initialMargin } = await maker!.house.healthOnChain(BigInt(id));
      expect(parseWad(deposit)).to.equal(initialMargin - equity); // to the wei
    }
    await venue.anvil.provider.send("evm_increaseTime", [12 * HOUR]); // μ(t) rises by 25 % an hour, from 1 to 3
    await venue.anvil.provider.send("evm_mine", []);
    for (const [id, state] of await statesOnChain()) expect(state).to.equal(listed.get(id)?.settled ?? before.get(id));

    const volatility = await maker!.house.priceOracle.volatilityOf(ETH);
    const regime = await maker!.house.priceOracle.regimeOf(ETH);
    expect(volatility.target).to.equal(targetFactor(volatility.variance, regime));
    expect(Number(volatility.target)).to.be.within(2_800_000, 3_000_000); // 60 % / 20 %
  });

  it("MM-5 MM-6 it lists nobody whom μ(t) would make liquidatable without the change too", async () => {
    const oracle = PriceOracle__factory.connect(venue.book.contracts.priceOracle, admin);
    for (const usd of [2400n, 2000n]) {
      await setAnswer(venue.anvil, venue.book.underlyings[ETH]!.feed, usd * 10n ** 8n);
      await (await oracle.observe(ETH, 10, { gasLimit: 1_000_000n })).wait();
    }
    // The target is 3 and μ(t) still 1: MM of the two longs is going from 600 to 1,800, and they have 1,020 and 1,400.
    const { factor, target } = await oracle.volatilityOf(ETH);
    expect([factor < 1_010_000n, target]).to.deep.equal([true, 3_000_000n]);
    const check = async (shock: bigint) => {
      const changes: Change[] = [{ kind: "risk", of: "ETH", id: ETH, values: { ...STANDS, shock } }];
      const file = path.join(venue.folder, `${shock}.json`);
      writeFileSync(file, JSON.stringify(await seal({ ...readProposal(proposal).proposal, changes }), plain));
      const told = await ask<Told>(venue, ["calibrate", "check", file]);
      return told.affected.map(({ id, atOnce, settled, otherwise }) => ({ id, atOnce, settled, otherwise }));
    };
    expect(await check(STANDS.shock)).to.deep.equal([]); // nothing is changed
    // 5.1 % · 3 · 20,000 = 3,060 of the 3,000 that the third has; the regime that stands is what it is settled by
    const states = { atOnce: "marginCall", settled: "liquidatable", otherwise: "marginCall" };
    expect(await check(51_000n)).to.deep.include({ id: safe!.account.toString(), ...states });
  });

  it("MM-6 HC-5 what it proposes is what the contracts hold afterwards", async () => {
    const told = await ask<Told>(venue, ["calibrate", "check", proposal]);
    for (const { call } of told.parameters)
      await (await admin.sendTransaction({ to: call.target, data: call.data, gasLimit: 1_000_000n })).wait();
    const { riskEngine, priceOracle, clearingHouse } = maker!.house;
    const { shock, depth, basis, basisInitial, initialFactor } = await riskEngine.underlyingRisk(ETH);
    expect(shock).to.equal(18_000n);
    expect([basis, basisInitial, initialFactor]).to.deep.equal([10_000n, 30_000n, 1_666_666_667n]); // as they were
    expect((await priceOracle.regimeOf(ETH)).referenceVolatility).to.be.within(200_000n, 200_001n);
    // Ten minutes at 100,000 ETH of 2,000 USD and a little more
    expect(depth).to.be.within(2_000_000_000n, 2_001_000_000n);
    expect((await clearingHouse.collateral(WETH)).accountCap).to.be.within(999_000n, 1_001_000n);
    // A liquid-staking token: its haircuts no less than its trackings, and its caps left alone
    const { haircut, haircutInitial } = await riskEngine.collateralRisk(WSTETH);
    expect([haircut, haircutInitial]).to.deep.equal([20_000n, 30_000n]);
    expect((await clearingHouse.collateral(WSTETH)).accountCap).to.equal(1_000_000n);
    expect(told.parameters.map(({ of }) => of)).to.deep.equal(["ETH", "ETH", "WETH", "WETH", "wstETH", "ETH-PERP"]);
  });

  it("MM-6 tells people the table, the back-test, the regime and whom it calls", async () => {
    const text = await tell(venue, ["calibrate", "propose", "--prices", candles]);
    expect(text)
      .to.match(/^ETH +referenceVolatility +80% +20(\.0001)?%$/m)
      .and.match(/^ETH +shock +3% +1\.8%$/m)
      .and.match(/^ETH +maintenance shock +10 +proposed +20 +0 +0\.2 +/m)
      .and.match(/^at once +2 +40,000\.00 +0 +0\.00$/m)
      .and.match(/^when μ\(t\) has settled +1 +20,000\.00 +1 +20,000\.00$/m)
      .and.match(/^ETH +20 % +×1\.00 +×1\.00 +×1\.00 +×1\.00$/m)
      .and.match(
        /^Less than one breach is expected, so that none says nothing: maintenance shock of ETH, initial shock of ETH, /m,
      )
      .and.match(/signed by +nobody/);
  });

  it("MBS-3 says which margins do not hold out of sample", async () => {
    // Steps of 2.76 % are more than κ·μ(t) = 1.8 % · (1 + 0.25 an hour) for two hours of the three and a half that are tested.
    const sudden = candlesOf("ETH-USD_sudden.csv", 0.2, 20);
    const text = await tell(venue, ["calibrate", "propose", "--prices", sudden, "--horizon", "9m"]);
    expect(text).to.match(/^Does not hold out of sample \(p < 0\.05\): maintenance shock of ETH/m);
    expect(await tell(venue, ["calibrate", "check", proposal])).not.to.include("Does not hold");
  });

  it("HC-5 the hash is that of the canonical JSON, and the signature is over it", async () => {
    const { hash, signature } = readProposal(proposal);
    const written = JSON.parse(readFileSync(proposal, "utf8")) as { proposal: object };
    expect(hash).to.equal(keccak256(toUtf8Bytes(sorted(written.proposal))));
    expect(signature?.signer).to.equal(maker!.wallet.address);
    expect(verifyMessage(Buffer.from(hash.slice(2), "hex"), signature!.signature)).to.equal(maker!.wallet.address);
    expect((await ask<Told>(venue, ["calibrate", "check", proposal])).signer).to.equal(maker!.wallet.address);
    await fails(venue, ["calibrate", "propose", "--prices", candles, "--sign"], "NoKey", 2);
    await fails(venue, ["calibrate", "propose", "--prices", candles, "--out", proposal], "FileUnusable", 2);
  });

  it("HC-5 finds out that a file was changed, in content, hash or signature", async () => {
    const text = readFileSync(proposal, "utf8");
    const changed = async (from: RegExp, to: string, error: string) => {
      const file = path.join(venue.folder, "changed.json");
      expect(text).to.match(from);
      writeFileSync(file, text.replace(from, to));
      return fails(venue, ["calibrate", "check", file], error, 2);
    };
    const { fields } = await changed(/"18000"/, '"18001"', "ProposalChanged");
    expect(fields["stated"]).to.equal(readProposal(proposal).hash);
    expect(fields["computed"]).not.to.equal(fields["stated"]);
    await changed(/"breaches": 0/, '"breaches": 1', "ProposalChanged");
    await changed(/"hash": "0x./, '"hash": "0x', "ProposalChanged");
    await changed(/"signer": "0x\w+"/, `"signer": "${safe!.wallet.address}"`, "ProposalSignatureWrong");
    await changed(/"signature": "0x\w+"/, '"signature": "0x00"', "ProposalSignatureWrong");
    await changed(/"shock": "18000"/, '"shock": "18000", "phi": "1"', "ProposalMalformed");
    await changed(/\{/, "", "ProposalMalformed");
    await fails(venue, ["calibrate", "check", path.join(venue.folder, "none.json")], "ProposalMalformed", 2);
  });

  it("MM-5 refuses what the contracts would refuse, and a proposal for another house", async () => {
    const wild = candlesOf("ETH-USD_wild.csv", 12);
    const { fields } = await fails(venue, ["calibrate", "propose", "--prices", wild], "ParameterOutOfBounds", 2);
    expect(fields).to.deep.include({ of: "ETH", parameter: "referenceVolatility", min: "100000", max: "10000000" });

    const { proposal: fitted } = readProposal(proposal);
    const file = path.join(venue.folder, "sealed.json");
    const check = async (proposed: typeof fitted, error: string) => {
      writeFileSync(file, JSON.stringify(await seal(proposed), plain));
      return fails(venue, ["calibrate", "check", file], error, 2);
    };
    await check({ ...fitted, chainId: 1 }, "ProposalForAnotherHouse");
    const cases: [Change, string][] = [
      [{ kind: "risk", of: "ETH", id: ETH, values: { shock: 5_000n, slope: 0n, depth: 1n } }, "shock"],
      [{ kind: "haircuts", of: "WETH", id: WETH, values: { haircut: 2n, haircutInitial: 1n } }, "haircutInitial"],
      [{ kind: "market", of: "ETH-PERP", id: 0, values: { softCap: 2n, hardCap: 1n } }, "softCap"],
      [{ kind: "collateral", of: "WETH", id: WETH, values: { accountCap: 0n, cap: 1n } }, "accountCap"],
    ];
    for (const [change, parameter] of cases) {
      const refused = await check({ ...fitted, changes: [change] }, "ParameterOutOfBounds");
      expect(refused.fields["parameter"]).to.equal(parameter);
    }
    // Of two changes of the same only one would be held against the bounds.
    const [wrong, right] = [5_000n, 30_000n].map(
      (shock) => ({ ...cases[0]![0], values: { ...STANDS, shock } }) as Change,
    );
    await check({ ...fitted, changes: [wrong!, right!] }, "ProposalMalformed");
    // What a change says that it is of is what it is of.
    const btc: Change = { kind: "risk", of: "ETH", id: 1, values: { shock: 30_000n, slope: 20_000n, depth: 1n } };
    const misnamed = await check({ ...fitted, changes: [btc] }, "ProposalMisnamed");
    expect(misnamed.fields).to.deep.include({ of: "ETH", listed: "BTC" });
    await check({ ...fitted, changes: [{ ...cases[2]![0], id: 9 }] }, "UnderlyingNotListed");
    const strange: Change = { kind: "risk", of: "DOGE", id: 9, values: { shock: 6_000n, slope: 0n, depth: 1n } };
    await check({ ...fitted, changes: [strange] }, "UnderlyingNotListed");
  });

  it("MM-5 its bounds are those of the contracts, by name and number", async () => {
    const { contracts } = venue.book;
    const engine = RiskEngine__factory.connect(contracts.riskEngine, admin);
    const oracle = PriceOracle__factory.connect(contracts.priceOracle, admin);
    const { risk } = (await maker!.house.view(maker!.account)).house;
    const [underlying, collateral] = [risk.underlyings.get(ETH)!, risk.collaterals.get(WSTETH)!];
    const regime = { referenceVolatility: 800_000n, averaging: 14_400n, maxFactor: 3_000_000n, maxStep: 250_000n };
    const same = async (mine: () => void, theirs: Promise<unknown>) => {
      const refusal = await theirs.then(() => undefined, decodeError);
      let mistake: unknown;
      try {
        mine();
      } catch (error) {
        mistake = error;
      }
      if (!(mistake instanceof ParameterOutOfBounds) || refusal === undefined) throw new Error("both should refuse");
      const { parameter, value, min, max } = mistake;
      const name = encodeBytes32String(parameter);
      expect({ name, value, min, max }).to.deep.equal(refusal.args);
    };
    for (const change of [
      ...[{ shock: 5_000n }, { shock: 500_001n }, { slope: 200_001n }, { depth: 0n }, { shock: 300_000n }],
      ...[{ basis: 5_000n }, { basis: 40_001n }, { basisInitial: 9_999n }, { basisInitial: 70_001n }],
      ...[{ initialFactor: 10n ** 9n }, { initialFactor: 4n * 10n ** 9n + 1n }],
    ]) {
      const changed = { ...underlying, ...change };
      const mine = () => {
        expectUnderlyingRisk("ETH", changed);
      };
      await same(mine, engine.setUnderlyingRisk.staticCall(ETH, changed));
    }
    for (const change of [
      { haircut: 10n ** 6n + 1n },
      { haircutInitial: 69_999n },
      { haircutInitial: 10n ** 6n + 1n },
    ]) {
      const changed = { ...collateral, ...change };
      const mine = () => {
        expectCollateralRisk("wstETH", changed);
      };
      await same(mine, engine.setCollateralRisk.staticCall(WSTETH, { ...changed, underlying: ETH }));
    }
    for (const change of [
      ...[{ referenceVolatility: 99_999n }, { referenceVolatility: 10_000_001n }, { averaging: 599n }],
      ...[{ averaging: 2_592_001n }, { maxFactor: 999_999n }, { maxFactor: 3_000_001n }],
      ...[{ maxStep: 9_999n }, { maxStep: 1_000_001n }],
    ]) {
      const changed = { ...regime, ...change };
      const mine = () => {
        expectRegime("ETH", changed);
      };
      await same(mine, oracle.setRegime.staticCall(ETH, changed));
    }
  });

  it("MM-1 MM-6 σ is what the oracle estimates from the same prices", async () => {
    const { provider } = venue.anvil;
    const oracle = PriceOracle__factory.connect(venue.book.contracts.priceOracle, admin);
    const prices = [2000, 2010, 1995, 1995, 2040, 1900, 1910];
    const { timestamp } = (await provider.getBlock("latest"))!;
    const variances: number[] = [];
    for (const [minute, price] of prices.entries()) {
      await provider.send("evm_setNextBlockTimestamp", [timestamp + 60 * (minute + 1)]);
      await setAnswer(venue.anvil, venue.book.underlyings[ETH]!.feed, BigInt(price) * 10n ** 8n);
      await (await oracle.observe(ETH, 10)).wait();
      variances.push(Number((await oracle.volatilityOf(ETH)).variance) / 1e18);
    }
    const { averaging } = await oracle.regimeOf(ETH);
    const own = variancesOf(prices, averaging, variances[0]!);
    own.forEach((variance, i) => expect(Math.abs(variance / variances[i]! - 1), `${i}`).to.be.lessThan(1e-6));
  });

  it("refuses terms that make no sense", async () => {
    const propose = ["calibrate", "propose", "--prices", candles];
    for (const wrong of [
      ...[
        ["--confidence", "1"],
        ["--confidence", "0.5"],
        ["--confidence", "x"],
        ["--fit", "0"],
        ["--fit", "1"],
      ],
      ...[
        ["--horizon", "90s"],
        ["--horizon", "0m"],
        ["--sale", "soon"],
      ],
    ]) {
      await fails(venue, [...propose, ...wrong], "InvalidValue", 2);
    }
    await fails(venue, [...propose, "--horizon", "4h"], "HistoryTooShort", 2);
    await fails(venue, ["calibrate", "propose", "--prices", `${candles},${candles}`], "WindowsOverlap", 2);
    await fails(venue, ["calibrate", "propose"], "InvalidCommandLine", 2);
  });
});

function plain(_: string, x: unknown): unknown {
  return typeof x === "bigint" ? x.toString() : x;
}

/** JSON with its keys in order and no spaces, which is RFC 8785 for what a proposal holds. */
function sorted(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sorted).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${sorted(each)}`).join(",")}}`;
}
