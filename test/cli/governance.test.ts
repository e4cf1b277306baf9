import { writeFileSync } from "node:fs";
import path from "node:path";

import { expect } from "chai";
import { Wallet, ZeroHash } from "ethers";

import { readProposal, seal } from "../../src/calibrate/proposal.ts";
import type { Proposal } from "../../src/calibrate/proposal.ts";
import { review } from "../../src/calibrate/review.ts";
import { changesOf } from "../../src/cli/commands/calibrate.ts";
import type { Call } from "../../src/sdk/calls.ts";
import { parseWad } from "../../src/sdk/units.ts";
import {
  AccessManager__factory,
  IClearingHouse__factory,
  MockERC20__factory,
  RiskEngine__factory,
  RiskPreview__factory,
  TimelockController__factory,
} from "../../types/index.ts";
import { setAnswer } from "../helpers/anvil.ts";
import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";
import { ask, fails, tell } from "./support.ts";

// The first of anvil's accounts after the deployer's.
const GOVERNOR = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const GUARDIAN = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";
const STEWARD = "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6";
const ELSEWHERE = "0x00000000000000000000000000000000000000A1";
const DAY = 86_400;

const governor = { env: { PRIVATE_KEY: GOVERNOR } };
const guardian = { env: { PRIVATE_KEY: GUARDIAN } };
const [governorAt, guardianAt, stewardAt] = [GOVERNOR, GUARDIAN, STEWARD].map((key) => new Wallet(key).address);

/** What machines are told of what waits. */
interface Shown {
  readonly roles: readonly { readonly role: string; readonly member: string; readonly delay: string }[];
  readonly pending: readonly {
    readonly id: string;
    readonly waitsIn: string;
    readonly what: string;
    readonly ready: number;
  }[];
  readonly pausedUntil: string | null;
  readonly rolesWait: string;
}

describe("plimsoll governance", () => {
  let venue: Venue;
  let file: string;
  let snapshot: string;

  const show = () => ask<Shown>(venue, ["governance", "show"]);
  const provider = () => venue.anvil.provider;

  /** Lets time pass, after which the feeds answer as they did. */
  async function pass(seconds: number): Promise<void> {
    await provider().send("evm_increaseTime", [seconds]);
    await provider().send("evm_mine", []);
    for (const [feed, usd] of [
      [0, 2000n],
      [1, 30_000n],
      [2, 1n],
    ] as const)
      await setAnswer(venue.anvil, venue.book.underlyings[feed]!.feed, usd * 10n ** 8n);
  }

  before(async () => {
    const names = { governor: governorAt!, guardian: guardianAt!, steward: stewardAt! };
    venue = await Venue.open({
      governance: { ...names, delays: { parameters: "2d", wiring: "7d", admin: "8d" } },
    });
    // As calibrate propose writes it: κ of ETH from 3 % to 4 %, h of WETH from 7 % to 8 %, caps of its market.
    const { chainId, contracts } = venue.book;
    const sealed = await seal({
      ...{ kind: "parameterProposal", chainId, clearingHouse: contracts.clearingHouse },
      ...{ terms: { confidence: 0.99, horizon: 10, sale: 60, fit: 0.5 }, prices: [], backTest: [] },
      changes: [
        { kind: "risk", of: "ETH", id: 0, values: { shock: 40_000n, slope: 20_000n, depth: 50_000_000n } },
        { kind: "haircuts", of: "WETH", id: 0, values: { haircut: 80_000n, haircutInitial: 110_000n } },
        { kind: "market", of: "ETH-PERP", id: 0, values: { softCap: 100_000_000n, hardCap: 200_000_000n } },
      ],
    });
    file = path.join(venue.folder, "proposal.json");
    writeFileSync(
      file,
      JSON.stringify(sealed, (_, x: unknown) => (typeof x === "bigint" ? x.toString() : x)),
    );
    readProposal(file);
  });
  after(() => venue.close());
  beforeEach(async () => {
    snapshot = (await provider().send("evm_snapshot", [])) as string;
  });
  afterEach(() => provider().send("evm_revert", [snapshot]));

  it("MM-5 show names roles, members, delays, what waits and the pause", async () => {
    const { roles, rolesWait, pending, pausedUntil } = await show();
    const { timelock, riskSteward } = venue.book.governance!;
    expect(roles.map(({ role, member, delay }) => [role, member, Number(delay)])).to.have.deep.members([
      ["ADMIN", timelock, 0],
      ["PARAMETERS", governorAt, 2 * DAY],
      ["PARAMETERS", riskSteward, 0],
      ["WIRING", governorAt, 7 * DAY],
      ["RISK_STEWARD", stewardAt, 0],
      ["GUARDIAN", guardianAt, 0],
    ]);
    expect([pending, pausedUntil, Number(rolesWait)]).to.deep.equal([[], null, 8 * DAY]);
    const text = await tell(venue, ["governance", "show"]);
    expect(text)
      .to.match(new RegExp(`WIRING +${governorAt} +7\\.0 d`))
      .and.match(/changes of roles +wait 8\.0 d in the timelock/)
      .and.match(/new risk +not paused/)
      .and.match(/Nothing is pending/);
  });

  it("MM-5 a proposal of parameters is scheduled, waits its delay, and is executed", async () => {
    await fails(venue, ["governance", "propose", file, "--yes"], "AccessManagerUnauthorizedCall", 3, guardian);
    await ask(venue, ["governance", "propose", file], governor);
    const { pending } = await show();
    expect(pending.map(({ what }) => what.split("(")[0]).sort()).to.deep.equal([
      ...["setCollateralRisk", "setMarket", "setUnderlyingRisk"],
    ]);
    const now = (await provider().getBlock("latest"))!.timestamp;
    for (const { ready, waitsIn } of pending) {
      expect(ready).to.be.within(now + 2 * DAY - 60, now + 2 * DAY);
      expect(waitsIn).to.equal("access manager");
    }
    expect(await tell(venue, ["governance", "show"])).to.match(/setMarket\(0, .+ in 2\.0 d/);
    const names = "softCap 100000000, hardCap 200000000, underlying 0";
    expect(pending.map(({ what }) => what).join()).to.match(
      new RegExp(`setMarket\\(0, \\(takerFee 500, .*${names}\\)`),
    );
    await fails(venue, ["governance", "execute", "--yes"], "NothingReady", 3, governor);
    await fails(venue, ["governance", "execute", pending[0]!.id, "--yes"], "AccessManagerNotReady", 3, governor);
    await pass(2 * DAY);
    await ask(venue, ["governance", "execute"], governor);
    expect((await show()).pending).to.deep.equal([]);
    const engine = RiskEngine__factory.connect(venue.book.contracts.riskEngine, provider());
    const ledger = IClearingHouse__factory.connect(venue.book.contracts.clearingHouse, provider());
    expect((await engine.underlyingRisk(0)).shock).to.equal(40_000n);
    expect((await engine.collateralRisk(0)).haircutInitial).to.equal(110_000n);
    expect((await ledger.market(0))[0].hardCap).to.equal(200_000_000n);
  });

  it("MM-5 the preview on the chain names whom the review here names", async () => {
    const maker = await venue.trader("1000000");
    await maker.house.lend(maker.account, "100000");
    const traders: Trader[] = [];
    // Longs of 10 ETH = 20,000: fee 10. At κ 6 % MM = 1,200 and IM = 2,000, and size a little.
    for (const cash of ["1030", "1180", "1410", "1900", "2100", "3010"]) {
      const trader = await venue.trader(cash);
      const resting = await venue.order(maker, "-10", "2000", { resting: true });
      await maker.house.settleOrders([resting, await venue.order(trader, "10", "2000")], [{ maker: 0, taker: 1 }]);
      traders.push(trader);
    }
    // 2 WETH = 4,000 and a debt of 3,000: E = 1,000, IM = 5/3 · 6 % · 4,000 + 20 % · 4,000 = 1,200.
    const borrower = await venue.trader("1");
    const weth = MockERC20__factory.connect(venue.book.collaterals[0]!.token, borrower.wallet);
    await (await weth.mint(borrower.wallet, parseWad("2"))).wait();
    await borrower.house.deposit(borrower.account, "WETH", "2");
    await ask(venue, ["withdraw", "3000"], { as: borrower });

    const changes: Proposal["changes"] = [
      { kind: "risk", of: "ETH", id: 0, values: { shock: 60_000n, slope: 20_000n, depth: 50_000_000n } },
      { kind: "haircuts", of: "WETH", id: 0, values: { haircut: 70_000n, haircutInitial: 200_000n } },
    ];
    const { proposal } = readProposal(file);
    const { affected } = await review(maker.house, { ...proposal, changes });
    const reviewed = (...states: string[]) =>
      affected
        .filter(({ atOnce, before }) => states.includes(atOnce) && !states.includes(before))
        .map((a) => a.account);

    const asked = await changesOf(maker.house, { ...proposal, changes });
    const preview = RiskPreview__factory.connect(venue.book.governance!.riskPreview, provider());
    const ids = [maker, borrower, ...traders].map(({ account }) => account);
    const [called, liquidatable] = await preview.preview.staticCall(
      asked.map(({ call }) => call.data),
      ids,
    );
    expect([...called]).to.have.members(reviewed("marginCall", "liquidatable", "bankrupt"));
    expect([...liquidatable]).to.have.members(reviewed("liquidatable", "bankrupt"));
    const accountOf = (i: number) => traders[i]!.account;
    expect([...called]).to.have.members([...[0, 1, 2, 3].map(accountOf), borrower.account]); // 2,100 − 10 is above 2,013
    expect([...liquidatable]).to.have.members([0, 1].map(accountOf));
  });

  it("MM-5 the guardian cancels what waits, by the beginning of its id", async () => {
    await ask(venue, ["governance", "propose", file], governor);
    const { pending } = await show();
    await ask(venue, ["governance", "cancel", pending[0]!.id.slice(0, 12)], guardian);
    expect((await show()).pending.map(({ id }) => id)).to.deep.equal(pending.slice(1).map(({ id }) => id));
    await fails(venue, ["governance", "cancel", "0x", "--yes"], "UnknownOperation", 2, guardian);
    await fails(venue, ["governance", "cancel", pending[0]!.id, "--yes"], "UnknownOperation", 2, guardian);
  });

  it("MM-5 prints for a multisig what schedules the same, and sends nothing", async () => {
    const { transactions } = await ask<{ transactions: Call[] }>(venue, ["governance", "propose", file, "--calldata"]);
    expect(transactions.map(({ target }) => target)).to.deep.equal([venue.book.contracts.accessManager]);
    expect((await show()).pending).to.deep.equal([]);
    const sender = new Wallet(GOVERNOR, provider());
    await (await sender.sendTransaction({ to: transactions[0]!.target, data: transactions[0]!.data })).wait();
    expect((await show()).pending).to.have.length(3);
    expect(await tell(venue, ["governance", "propose", file, "--calldata"])).to.include(transactions[0]!.data);
  });

  it("MM-5 what a deployment leaves to governance is scheduled where it belongs: roles in the timelock", async () => {
    const { accessManager, clearingHouse } = venue.book.contracts;
    const manager = AccessManager__factory.createInterface();
    const ledger = IClearingHouse__factory.createInterface();
    const grant = manager.encodeFunctionData("grantRole", [4n, stewardAt!, 0n]);
    const treasury = ledger.encodeFunctionData("setTreasury", [guardianAt!]);
    const left = path.join(venue.folder, "operations.json");
    const operations = [
      { label: "guardian", target: accessManager, data: grant },
      { label: "treasury", target: clearingHouse, data: treasury },
    ];
    writeFileSync(left, JSON.stringify(operations));
    await ask(venue, ["governance", "propose", left], governor);
    const { pending } = await show();
    expect(pending.map(({ waitsIn, what }) => [waitsIn, what.split("(")[0]])).to.deep.equal([
      ["access manager", "setTreasury"],
      ["timelock", "grantRole"],
    ]);
    await pass(7 * DAY);
    await ask(venue, ["governance", "execute"], governor);
    await pass(DAY);
    await ask(venue, ["governance", "execute"], { env: { PRIVATE_KEY: STEWARD } }); // the timelock lets anyone
    const authority = AccessManager__factory.connect(accessManager, provider());
    expect((await authority.hasRole(4n, stewardAt!))[0]).to.equal(true);
    expect((await show()).pending).to.deep.equal([]);
    // Scheduled again and cancelled by the guardian.
    writeFileSync(left, JSON.stringify(operations.slice(0, 1)));
    await ask(venue, ["governance", "propose", left], governor);
    await ask(venue, ["governance", "cancel", (await show()).pending[0]!.id], guardian);
    expect((await show()).pending).to.deep.equal([]);
    writeFileSync(left, JSON.stringify([{ label: "wrong", target: "0x1", data: ZeroHash }]));
    await fails(venue, ["governance", "propose", left, "--yes"], "FileUnusable", 2, governor);
    await fails(venue, ["governance", "propose", `${left}.no`, "--yes"], "FileUnusable", 2, governor);
  });

  it("MM-5 shows every call of a batch that waits in the timelock, and executes all of it", async () => {
    const { accessManager, vault } = venue.book.contracts;
    const timelock = TimelockController__factory.connect(
      venue.book.governance!.timelock,
      new Wallet(GOVERNOR, provider()),
    );
    const manager = AccessManager__factory.createInterface();
    const [grant, revoke] = [
      manager.encodeFunctionData("grantRole", [1n, governorAt!, 0n]),
      manager.encodeFunctionData("revokeRole", [4n, guardianAt!]),
    ];
    const schedule = (targets: string[], data: string[]) =>
      timelock.scheduleBatch(
        targets,
        targets.map(() => 0n),
        data,
        ZeroHash,
        ZeroHash,
        8 * DAY,
      );
    await (await schedule([accessManager, accessManager], [grant, revoke])).wait();
    await (await schedule([vault], [grant])).wait(); // one call, but a batch
    await (await schedule([ELSEWHERE], [revoke])).wait();
    await (await schedule([accessManager], ["0x12345678"])).wait();
    await (await schedule([accessManager], [grant.slice(0, -64)])).wait();
    const { pending } = await show();
    const [granting, revoking] = [`grantRole(1, ${governorAt}, 0)`, `revokeRole(4, ${guardianAt})`];
    expect(pending.map(({ what }) => what)).to.have.members([
      `${granting}, then ${revoking}`,
      granting,
      `${revoking} of ${ELSEWHERE}`, // no contract of the house
      `0x12345678 of ${accessManager}`,
      `${grant.slice(0, 10)} of ${accessManager}`, // it lacks an argument
    ]);
    await pass(8 * DAY);
    const stranger = { env: { PRIVATE_KEY: STEWARD } };
    await ask(venue, ["governance", "execute", pending.find(({ what }) => what.includes("then"))!.id], stranger);
    const authority = AccessManager__factory.connect(accessManager, provider());
    expect((await authority.hasRole(4n, guardianAt!))[0]).to.equal(false);
    expect((await show()).pending).to.have.length(4);
  });

  it("MM-5 what is scheduled again is executed in the order of its last proposal", async () => {
    const { clearingHouse } = venue.book.contracts;
    const ledger = IClearingHouse__factory.createInterface();
    const left = path.join(venue.folder, "order.json");
    const propose = (...treasuries: string[]) => {
      const data = treasuries.map((to) => ledger.encodeFunctionData("setTreasury", [to]));
      writeFileSync(left, JSON.stringify(data.map((d) => ({ label: "treasury", target: clearingHouse, data: d }))));
      return ask(venue, ["governance", "propose", left], governor);
    };
    await propose(stewardAt!);
    await pass(7 * DAY);
    await ask(venue, ["governance", "execute"], governor);
    await propose(guardianAt!, stewardAt!);
    const { pending } = await show();
    expect(pending.map(({ what }) => what)).to.deep.equal([`setTreasury(${guardianAt})`, `setTreasury(${stewardAt})`]);
    await pass(7 * DAY);
    await ask(venue, ["governance", "execute"], governor);
    expect(await IClearingHouse__factory.connect(clearingHouse, provider()).treasury()).to.equal(stewardAt);
  });

  it("MM-5 a change of the timelock itself is scheduled in the timelock", async () => {
    const { timelock } = venue.book.governance!;
    const data = TimelockController__factory.createInterface().encodeFunctionData("updateDelay", [9 * DAY]);
    const left = path.join(venue.folder, "delay.json");
    writeFileSync(left, JSON.stringify([{ label: "delay", target: timelock, data }]));
    await ask(venue, ["governance", "propose", left], governor);
    expect((await show()).pending.map(({ waitsIn, what }) => [waitsIn, what])).to.deep.equal([
      ["timelock", `updateDelay(${9 * DAY})`],
    ]);
  });

  it("MM-5 the guardian pauses new risk, everybody is told, and may end it", async () => {
    await fails(venue, ["governance", "pause", "--yes"], "AccessManagedUnauthorized", 3, governor);
    await ask(venue, ["governance", "pause"], guardian);
    const now = (await provider().getBlock("latest"))!.timestamp;
    expect(Number((await show()).pausedUntil)).to.equal(now + 3 * DAY);
    expect(await tell(venue, ["governance", "show"])).to.match(/new risk +paused until 20/);
    expect(await tell(venue, ["market", "list"])).to.match(/New risk is paused until 20/);
    const told = await fails(venue, ["governance", "pause", "--yes"], "PauseTooEarly", 3, guardian);
    expect(told.message).to.match(/a pause has ended lately.*from 20\d\d-/);
    await ask(venue, ["governance", "pause", "--end"], guardian);
    expect((await show()).pausedUntil).to.equal(null);
    expect(await ask(venue, ["market", "list"])).to.include({ newRiskPausedUntil: null });
  });
});
