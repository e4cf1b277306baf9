import { expect } from "chai";
import { AbiCoder, keccak256, toBeHex } from "ethers";

import { audit } from "../../src/keeper/audit.ts";
import { parseWad } from "../../src/sdk/units.ts";
import { MockERC20__factory } from "../../types/index.ts";
import { setAnswer } from "../helpers/anvil.ts";
import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";
import { ask, fails, tell, type } from "./support.ts";

/** Where `Ledger.State` begins in the clearinghouse; before it stands the authority. Then field by field: */
const ACCOUNTS = 1;
const POSITIONS = 2;
const COLLATERALS = 3;
const LOANS = 4;
const INDICES = 8;
const RATES = 9;
const POOLS = 10;
const LOSSES = 11;
const COLLATERAL_TOTALS = 17;
const LENDING = 19;
/** Where an ERC-20 of OpenZeppelin keeps balances. */
const BALANCES = 0;

const ETH = 0;
const WETH = 0;

/** An amount as machines are told it. */
interface Entry {
  readonly account?: string;
  readonly owner?: string;
  readonly what: string;
  readonly of: string;
  readonly events: string;
  readonly storage: string;
  readonly vault?: string;
}

interface Told {
  readonly block: number;
  readonly accounts: number;
  readonly totals: readonly Entry[];
  readonly unclaimed: Readonly<Record<string, string>>;
  readonly differences: readonly Entry[];
}

/** Slot of a value in a mapping, or in a mapping of mappings. */
function slotOf(mapping: number, ...keys: readonly (bigint | number | string)[]): bigint {
  const words = ["uint256", "uint256"];
  return keys.reduce<bigint>(
    (slot, key) => BigInt(keccak256(AbiCoder.defaultAbiCoder().encode(words, [key, slot]))),
    BigInt(mapping),
  );
}

describe("plimsoll audit", () => {
  let venue: Venue;
  let [alice, bob, carol, dave]: Trader[] = [];
  let early: number;
  let snapshot: string;

  /** A house with everything in it: 113,000 USDC and 2 WETH come in, 1,500 USDC leave. */
  before(async () => {
    venue = await Venue.open();
    [alice, bob] = [await venue.trader("10000"), await venue.trader("2000")];
    [carol, dave] = [await venue.trader("100000"), await venue.trader("1000")];
    early = await venue.anvil.provider.getBlockNumber();
    await ask(venue, ["lend", "5000"], { as: alice });
    await MockERC20__factory.connect(venue.book.collaterals[WETH]!.token, dave.wallet).mint(dave.wallet, parseWad("2"));
    await ask(venue, ["deposit", "2", "WETH"], { as: dave });
    await ask(venue, ["withdraw", "1500"], { as: dave }); // of which he borrows 500
    const orders = [await venue.order(alice, "-10", "2000", { resting: true }), await venue.order(bob, "10", "2000")];
    await alice.house.settleOrders(orders, [{ maker: 0, taker: 1 }]);
    // bob: E = 2,000 − 10 − 1,500 = 490 < MM = 18,500 · 3 % and more
    await setAnswer(venue.anvil, venue.book.underlyings[ETH]!.feed, 1850n * 10n ** 8n);
    const terms = { maxFraction: parseWad("1"), maxPayment: parseWad("100000"), minGain: 0n, acceptClaims: true };
    const house = carol.house.clearingHouse;
    const gas = { gasLimit: 1_000_000n }; // an estimate may be too low in a later second
    await (await house.liquidate(bob.account, carol.account, terms, gas)).wait();
    await (await house.settle(ETH, [alice.account, bob.account, carol.account], gas)).wait();
    await (await house.sweepFees(ETH, gas)).wait();
  });
  after(() => venue.close());
  beforeEach(async () => {
    snapshot = (await venue.anvil.provider.send("evm_snapshot", [])) as string;
  });
  afterEach(() => venue.anvil.provider.send("evm_revert", [snapshot]));

  /** Adds to a word of storage. */
  async function tamper(contract: string, slot: bigint, amount: bigint): Promise<void> {
    const { provider } = venue.anvil;
    const word = BigInt(await provider.getStorage(contract, slot));
    await provider.send("anvil_setStorageAt", [
      contract,
      toBeHex(slot, 32),
      toBeHex(BigInt.asUintN(256, word + amount), 32),
    ]);
    await provider.send("evm_mine", []);
  }

  /** What an audit complains about, and its message. */
  async function complaints(): Promise<{ differences: readonly Entry[]; message: string }> {
    const { fields, message } = await fails(venue, ["audit"], "BooksDiffer", 1);
    return { differences: (fields as unknown as Told).differences, message };
  }

  it("MAS-6 SEG-5 events, storage and tokens of a house that has seen everything are equal to the wei", async () => {
    const { clearingHouse } = carol!.house;
    for (const name of ["Liquidated", "PositionTaken", "Settled", "LoansChanged", "FeesSwept"] as const) {
      const { topicHash: topic } = clearingHouse.interface.getEvent(name);
      const filter = { address: venue.book.contracts.clearingHouse, topics: [topic], fromBlock: 0 };
      expect(await venue.anvil.provider.getLogs(filter), name).not.to.have.length(0);
    }
    const told = await ask<Told>(venue, ["audit"]);
    expect(told.differences).to.deep.equal([]);
    expect(told.accounts).to.be.greaterThan(4);
    const usdc = { what: "tokens", of: "USDC", events: "111500", storage: "111500", vault: "111500" };
    const weth = { what: "tokens", of: "WETH", events: "2", storage: "2", vault: "2" };
    expect(told.totals).to.deep.include(usdc).and.to.deep.include(weth);
    expect(told.totals).to.deep.include({ what: "short sizes", of: "ETH-PERP", events: "10", storage: "10" });
    expect(told.unclaimed).to.include({ USDC: "0", WETH: "0" });
    const text = await tell(venue, ["audit"]);
    expect(text)
      .to.match(/^tokens +USDC +111500 +111500 +111500$/m)
      .and.match(/^No difference\.$/m);
  });

  it("MAS-6 audits a past block as it was", async () => {
    const { block, totals } = await ask<Told>(venue, ["audit", "--block", early.toString()]);
    expect(block).to.equal(early);
    // 10,000 + 2,000 + 100,000 + 1,000
    expect(totals[0]).to.deep.equal({
      what: "tokens",
      of: "USDC",
      events: "113000",
      storage: "113000",
      vault: "113000",
    });
    for (const wrong of ["1e3", "-1", "99999999"]) {
      await fails(venue, ["audit", "--block", wrong], "InvalidValue", 2);
    }
  });

  it("SEG-5 names the account, what, and both amounts where a wei of cash was added", async () => {
    const { clearingHouse } = venue.book.contracts;
    const { cash } = await alice!.house.clearingHouse.account(alice!.account);
    await tamper(clearingHouse, slotOf(ACCOUNTS, alice!.account), 1n);
    const { differences, message } = await complaints();
    const { address } = alice!.wallet;
    expect(differences[0]).to.deep.include({ account: "main", owner: address, what: "cash", of: "USDC" });
    expect(parseWad(differences[0]!.events)).to.equal(cash);
    expect(parseWad(differences[0]!.storage)).to.equal(cash + 1n);
    // What is owed has grown with it.
    expect(differences.slice(1)).to.deep.equal([
      { what: "tokens", of: "USDC", events: "111500", storage: "111500.000000000000000001", vault: "111500" },
    ]);
    expect(message).to.match(
      /^2 amounts differ at block \d+: cash USDC of main of 0x\w{40}: events [\d.]+, storage [\d.]+; tokens/,
    );
    const people = await type(venue, ["audit"]);
    expect(people.err).to.match(/^tokens +USDC +111500 +111500\.000000000000000001 +111500$/m);
  });

  it("SEG-5 finds a wei in every other word", async () => {
    const { clearingHouse, vault } = venue.book.contracts;
    const [usdc, weth] = [venue.book.cash.token, venue.book.collaterals[WETH]!.token];
    const [a, d] = [alice!.account, dave!.account];
    const quote = 1n << 128n; // the higher half of a position
    const cases: [contract: string, slot: bigint, amount: bigint, found: string[]][] = [
      [clearingHouse, slotOf(POSITIONS, a, ETH), quote, ["quote ETH-PERP"]],
      [clearingHouse, slotOf(POSITIONS, a, ETH), 1n, ["size ETH-PERP"]],
      [clearingHouse, slotOf(COLLATERALS, d, WETH), 1n, ["collateral WETH", "tokens WETH"]],
      [clearingHouse, slotOf(LOANS, a), 1n, ["lent shares USDC"]],
      [clearingHouse, slotOf(LOANS, d), 1n << 128n, ["debt shares USDC"]],
      [clearingHouse, slotOf(INDICES, ETH), 1n << 144n, ["long sizes ETH-PERP", "short sizes ETH-PERP"]],
      [clearingHouse, slotOf(RATES, ETH), 1n << 176n, ["fees ETH-PERP"]],
      [clearingHouse, slotOf(POOLS, ETH), 1n, ["tokens USDC", "pool ETH-PERP"]],
      [clearingHouse, slotOf(LOSSES, ETH) + 2n, 1n, ["bad debt ETH-PERP"]],
      [clearingHouse, slotOf(COLLATERAL_TOTALS, WETH), 1n, ["collateral total WETH"]],
      [clearingHouse, BigInt(LENDING), 1n, ["tokens USDC", "lent, not borrowed USDC"]],
      [clearingHouse, BigInt(LENDING + 1), 1n, ["lent shares USDC"]],
      [clearingHouse, BigInt(LENDING + 1), 1n << 128n, ["debt shares USDC"]],
      [usdc, slotOf(BALANCES, vault), -1n, ["tokens USDC"]],
      [weth, slotOf(BALANCES, vault), 1n, ["tokens WETH"]],
    ];
    for (const [contract, slot, amount, found] of cases) {
      await tamper(contract, slot, amount);
      const { differences } = await complaints();
      expect(differences.map(({ what, of }) => `${what} ${of}`)).to.deep.equal(found);
      await tamper(contract, slot, -amount);
    }
    expect((await ask<Told>(venue, ["audit"])).differences).to.deep.equal([]);
  });

  it("SEG-5 tells tokens apart that somebody sent to the vault without a deposit", async () => {
    const token = MockERC20__factory.connect(venue.book.cash.token, alice!.wallet);
    await (await token.transfer(venue.book.contracts.vault, 5_000_001n)).wait();
    const { unclaimed, totals } = await ask<Told>(venue, ["audit"]);
    expect(unclaimed).to.include({ USDC: "5.000001" });
    expect(totals[0]).to.include({ events: "111500", vault: "111500" });
    expect(await tell(venue, ["audit"])).to.include("Sent to the vault without a deposit: 5.000001 USDC");
  });

  it("SEG-5 tells how far it has come", async () => {
    const { provider } = venue.anvil;
    const last = await provider.getBlockNumber();
    const told: string[] = [];
    const { accounts } = await audit(provider, venue.book, last, (what, done, total) =>
      told.push(`${what} ${done}/${total}`),
    );
    expect(told).to.include(`events up to block ${last}/${last}`);
    expect(told).to.include(`accounts ${accounts}/${accounts}`);
    expect(told).to.include(`transfers of USDC up to block ${last}/${last}`);
  });
});
