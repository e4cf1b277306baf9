import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { expect } from "chai";

import { audit } from "../../src/keeper/audit.ts";
import { Mirror } from "../../src/keeper/mirror.ts";
import { generator } from "../../src/replay/synthetic.ts";
import { assessAccount } from "../../src/risk/account.ts";
import type { AccountState } from "../../src/risk/types.ts";
import { accountId, accountParts, isolatedAccountId } from "../../src/sdk/accountId.ts";
import type { AccountId } from "../../src/sdk/accountId.ts";
import { BTC, ETH, freshHouse, wad, WBTC, WETH, WSTETH } from "../helpers/fixture.ts";
import type { Fixture } from "../helpers/fixture.ts";

const EMPTY: AccountState = {
  cash: 0n,
  lentShares: 0n,
  debtShares: 0n,
  positions: new Map(),
  collaterals: new Map(),
};

const LENDING = 64n; // where losses are kept by market

function mirrorOf(house: Fixture): Mirror {
  return new Mirror(house.ethers.provider, house.addressBook);
}

/** Compares every account, fees and the cash identity with the chain, to the wei. */
async function expectEqual(mirror: Mirror, house: Fixture, ids: readonly AccountId[]): Promise<void> {
  const { clearingHouse: ch } = house;
  await mirror.sync();
  let cash = 0n;
  const shares = { lent: 0n, debt: 0n };
  for (const id of new Set([...ids, ...mirror.accounts.keys()])) {
    const account = mirror.accounts.get(id) ?? EMPTY;
    const name = id.toString(16);
    expect(account.cash, `cash of ${name}`).to.equal((await ch.account(id)).cash);
    const { lentShares, debtShares } = (await ch.loans(id)).shares;
    expect(account, `loans of ${name}`).to.include({ lentShares, debtShares });
    shares.lent += lentShares;
    shares.debt += debtShares;
    for (const market of [ETH, BTC]) {
      const { size, quote } = await ch.position(id, market);
      const mirrored = account.positions.get(market) ?? { size: 0n, quote: 0n };
      expect(mirrored, `position of ${name} in ${market}`).to.deep.equal({ size, quote });
    }
    for (const collateral of [WETH, WBTC, WSTETH]) {
      const balance = await ch.collateralBalance(id, collateral);
      expect(account.collaterals.get(collateral) ?? 0n, `collateral of ${name}`).to.equal(balance);
    }
    const { equity, initialMargin, maintenanceMargin } = await ch.assess(id);
    expect(assessAccount(account, mirror.house)).to.deep.equal({ equity, initialMargin, maintenanceMargin });
    cash += account.cash;
  }
  for (const market of [ETH, BTC]) {
    const [, , rate, pool] = await ch.market(market);
    expect(mirror.fees(market)).to.equal(rate.fees * 10n ** 9n);
    cash += pool.cash;
  }
  const { lent, reserves, borrowed, lentShares, debtShares } = mirror.house.lending;
  expect(shares).to.deep.equal({ lent: lentShares, debt: debtShares });
  // Vault USDC = Σ cash + lent + reserves − borrowed + Σ pools: no account is missing.
  cash += lent + reserves - borrowed;
  expect(await house.usdc.balanceOf(house.vault)).to.equal(cash / 10n ** 12n);
}

/** A random history: every action may be refused, then nothing has happened. */
async function play(house: Fixture, seed: number, steps: number, check: () => Promise<void>): Promise<void> {
  const next = generator(seed);
  const lending = seed % 4 < 2; // without it losses wait for cash
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const amount = (most: number) => (next() * most).toFixed(6);
  const { clearingHouse: ch, alice, bob, carol, dave, keeper } = house;
  const traders = [alice, bob, carol, dave];
  const price = [2000, 30_000];
  const accountsOf = ({ address }: HardhatEthersSigner) => [
    accountId(address),
    accountId(address, 1),
    isolatedAccountId(address, ETH),
  ];
  const walk = async (underlying: 0 | 1, most: number) => {
    price[underlying] = Math.min(4, Math.max(0.3, 1 + (next() - 0.5) * 2 * most)) * price[underlying]!;
    await house.setPrice(underlying, price[underlying].toFixed(8));
  };
  const trade = async () => {
    const [maker, taker, market] = [pick(traders), pick(traders), pick([ETH, ETH, BTC])];
    const size = wad(((next() - 0.5) * (market === ETH ? 20 : 1)).toFixed(6));
    // The history lasts for weeks, longer than an order does by default.
    const terms = { market: BigInt(market), limitPrice: wad(price[market]!.toFixed(8)), expiry: 2n ** 40n };
    const resting = { ...terms, size: -size, account: pick(accountsOf(maker)), resting: true };
    const orders = [
      await house.order(maker, resting),
      await house.order(taker, { ...terms, size, account: pick(accountsOf(taker)) }),
    ];
    await house.exchange.settle(orders, [{ maker: 0, taker: 1 }]);
  };
  const liquidate = async (ids = traders.flatMap(accountsOf)) => {
    const maxFraction = pick([wad("1"), wad("1"), wad("0.05"), wad("0.2")]);
    const terms = { maxFraction, maxPayment: wad("100000000"), minGain: 0n, acceptClaims: true };
    for (const id of ids) {
      await ch.connect(keeper).liquidate(id, accountId(keeper.address), terms).catch(refused);
    }
  };
  const settle = async () => {
    for (const market of [ETH, BTC]) await ch.settle(market, traders.flatMap(accountsOf));
  };
  const transfer = () => {
    const owner = pick(traders);
    const [from, to] = [pick(accountsOf(owner)), pick(accountsOf(owner))];
    const token = pick([house.usdc, house.usdc, house.weth]);
    return ch.connect(owner).transfer(from, to, token, token === house.usdc ? 200_000_000n : 10n ** 17n);
  };
  const liquidity = async () => {
    const [{ lent, reserves, borrowed }] = await ch.lending();
    return lent + reserves - borrowed;
  };
  const lend = () => {
    const owner = pick(traders);
    return ch.connect(owner).lend(pick(accountsOf(owner)), wad(amount(6000)) / 10n ** 12n);
  };
  const recall = () => {
    const owner = pick(traders);
    return ch.connect(owner).recall(pick(accountsOf(owner)), wad(amount(3000)) / 10n ** 12n);
  };
  const borrow = () => {
    const owner = pick(traders);
    return ch.connect(owner).withdraw(pick(accountsOf(owner)), house.usdc, wad(amount(6000)) / 10n ** 12n, owner);
  };
  const withdraw = () => {
    const owner = pick(traders);
    const token = pick([house.usdc, house.weth, house.wbtc]);
    return ch.connect(owner).withdraw(pick(accountsOf(owner)), token, 1_000_003n, owner);
  };
  const claim = async () => {
    for (const owner of traders) {
      for (const id of accountsOf(owner)) await ch.connect(owner).claim(id, ETH, wad("37.5")).catch(refused);
    }
  };
  const deposit = () => {
    const owner = pick(traders);
    const amounts = pick([
      ...[{ cash: amount(8000) }, { cash: amount(8000) }],
      ...[{ weth: amount(4) }, { wsteth: amount(3) }, { wbtc: amount(0.1) }],
    ]);
    return house.fund(owner, amounts, pick(accountsOf(owner)));
  };
  const flag = async () => {
    for (const id of traders.flatMap(accountsOf)) await ch.connect(bob).flag(id).catch(refused);
  };
  const drown = async () => {
    await walk(ETH, pick([0.05, 0.1, 0.25]));
    await flag();
    await house.pass(60);
    await flag();
    await liquidate();
  };
  /** Somebody owes as much as he can when the price halves. */
  const plunge = async () => {
    const owner = pick(traders);
    const lender = await house.fund(alice, { cash: "8000" }, accountId(alice.address, 3));
    await ch.connect(alice).lend(lender, 8_000_000_000n);
    const id = await house.fund(owner, { weth: "4" }, accountId(owner.address, 2));
    const [liquid, free] = [await liquidity(), await ch.freeCollateral(id)];
    const likely = (free * 7n) / 10n; // for a flat account IM is still to come
    const most = likely < liquid ? likely : liquid;
    await ch.connect(owner).withdraw(id, house.usdc, most / 10n ** 12n, owner);
    price[ETH] = price[ETH]! / 2;
    await house.setPrice(ETH, price[ETH].toFixed(8));
    await liquidate([id]);
    price[ETH] *= 2;
    await house.setPrice(ETH, price[ETH].toFixed(8));
  };
  const cashCall = async () => {
    for (let hour = 0; hour < (lending ? 1 : 26); ++hour) {
      await settle().catch(refused);
      await house.pass(3600);
    }
    const terms = { maxFraction: wad("1"), maxPayment: wad("100000000"), minGain: 0n, acceptClaims: true };
    for (const id of traders.flatMap(accountsOf)) {
      await ch.connect(keeper).cashCall(id, accountId(keeper.address), terms).catch(refused);
    }
  };
  const absorb = async () => {
    for (const id of traders.flatMap(accountsOf)) await ch.absorb(id).catch(refused);
  };
  const actions: (() => Promise<unknown>)[] = [
    ...[deposit, deposit, deposit, trade, trade, trade, trade, trade, trade, transfer, withdraw],
    ...[settle, () => liquidate(), drown, drown, drown, cashCall, absorb, claim],
    ...(lending ? [lend, lend, lend, recall, borrow, borrow, borrow] : []),
    ...(seed % 4 === 0 ? [plunge] : []),
    () => walk(ETH, 0.04),
    () => walk(BTC, 0.04),
    () => walk(ETH, 0.25),
    () => house.pass(Math.ceil(next() * 3600)),
    () => ch.sweepFees(ETH),
    () => ch.sweepReserves(),
    () => house.priceOracle.observe(ETH, 20),
    () => ch.accrueFunding(ETH),
  ];
  for (let step = 0; step < steps; ++step) {
    await pick(actions)().catch(refused);
    if (step % 30 === 29) await check();
  }
}

/** Only a contract may refuse an action of the history. */
function refused(error: unknown): void {
  if (!(error instanceof Error) || !/revert/i.test(error.message)) throw error;
}

/** What must have happened: histories without it would prove nothing about it. */
const WANTED: readonly string[] = [
  ...["Deposited", "Withdrawn", "Transferred", "Trade", "Settled", "Claimed", "FeesSwept", "Flagged"],
  ...["AuctionCleared", "Liquidated", "PositionTaken", "CollateralTaken", "RescuePaid", "DeficitAbsorbed"],
  ...["LossSocialised", "UnsettledLossSeen", "FundingAccrued"],
  ...["LoansChanged", "ReservesSwept", "MarginCall"],
  ...["part of an account", "isolated", "flagger paid", "cash call", "slice with loans", "lenders bore a loss"],
];

/** What happened in a history: names of events, and kinds of liquidations. */
async function happened({ clearingHouse: ch, ethers }: Fixture): Promise<string[]> {
  const logs = await ethers.provider.getLogs({ address: await ch.getAddress(), fromBlock: 0 });
  const slices = await ch.queryFilter(ch.filters.Liquidated());
  const absorbed = await ch.queryFilter(ch.filters.DeficitAbsorbed());
  const loans = new Set((await ch.queryFilter(ch.filters.LoansChanged())).map((event) => loanOf(event)));
  return [
    ...logs.map((log) => ch.interface.parseLog(log)?.name ?? ""),
    ...slices.filter(({ args }) => args.fraction < wad("1")).map(() => "part of an account"),
    ...slices.filter(({ args }) => accountParts(args.account).isolatedMarket !== undefined).map(() => "isolated"),
    ...slices.filter(({ args }) => args.toFlagger !== 0n).map(() => "flagger paid"),
    ...slices.filter(({ args }) => args.cashCall).map(() => "cash call"),
    ...slices.filter((slice) => loans.has(loanOf(slice, slice.args.taker))).map(() => "slice with loans"),
    ...absorbed
      .filter(({ args }) => args.market === LENDING && args.socialised !== 0n)
      .map(() => "lenders bore a loss"),
  ];
}

/** Names the loans that a transaction changed, of the account that its event names unless said otherwise. */
function loanOf({ transactionHash, args }: { transactionHash: string; args: { account: bigint } }, account?: bigint) {
  return `${transactionHash} ${account ?? args.account}`;
}

describe("mirror", () => {
  it("SEG-5 MAS-6 MAM-5 equals the chain to the wei throughout random histories", async function () {
    this.timeout(300_000);
    const missing = new Set(WANTED);
    for (let seed = 2; seed <= 10 && missing.size !== 0; ++seed) {
      const fund = seed % 2 === 0 ? 3_000_000_000n : 300_000_000_000n; // 3,000 USD leave bad debt, 300,000 pay rescues
      const house = await freshHouse();
      const mirror = mirrorOf(house);
      await house.usdc.mint(house.deployer, fund);
      await house.usdc.approve(house.insuranceFund, fund);
      await house.insuranceFund.deposit(fund, house.deployer);
      await house.fund(house.keeper, { cash: "5000000" });
      const owners = [house.alice, house.bob, house.carol, house.dave];
      for (const owner of owners) await house.fund(owner, { cash: "10000", weth: "3", wsteth: "1" });
      const ids = owners.map(({ address }) => accountId(address));
      await play(house, seed, 300, () => expectEqual(mirror, house, ids));

      const again = mirrorOf(house); // as after a restart
      await again.sync();
      expect(new Map(again.accounts)).to.deep.equal(new Map(mirror.accounts));
      expect(again.house).to.deep.equal(mirror.house);
      const { differences } = await audit(house.ethers.provider, house.addressBook, mirror.head, () => undefined);
      expect(differences).to.deep.equal([]);
      for (const name of await happened(house)) missing.delete(name);
    }
    expect([...missing]).to.deep.equal([]);
  });

  it("SEG-5 follows bad debt that a penalty repays", async () => {
    const house = await freshHouse();
    const { clearingHouse: ch, insuranceFund, usdc, keeper } = house;
    const mirror = mirrorOf(house);
    const taker = await house.fund(keeper, { cash: "1000000" });
    const alice = await house.fund(house.alice, { cash: "1000000" });
    const bob = await house.fund(house.bob, { cash: "11000" });
    const carol = await house.fund(house.carol, { cash: "4500" });
    await house.trade(house.alice, house.bob, ETH, "100", "2000");
    await house.trade(house.alice, house.carol, ETH, "10", "2000");
    const terms = { maxFraction: wad("1"), maxPayment: wad("100000000"), minGain: 0n, acceptClaims: false };
    await house.setPrice(ETH, "1600"); // bob owes 29,100 more than he has, there is no fund, the other side bears 4 per unit
    await ch.connect(keeper).liquidate(bob, taker, terms);
    await usdc.mint(house.deployer, 10_000_000_000n);
    await usdc.approve(insuranceFund, 10_000_000_000n);
    await insuranceFund.deposit(10_000_000_000n, house.deployer);
    await house.setPrice(ETH, "1590"); // carol: E = 4,500 − 10 fee − 4,100 = 390 < MM = 477
    await ch.connect(keeper).liquidate(carol, taker, terms);
    expect(await ch.queryFilter(ch.filters.BadDebtRepaid())).to.have.length(1);
    await expectEqual(mirror, house, [alice, bob, carol, taker, await insuranceFund.account()]);
  });

  it("MAM-6 forgets a block that the chain has dropped", async () => {
    const house = await freshHouse();
    const mirror = mirrorOf(house);
    const alice = await house.fund(house.alice, { cash: "100" });
    const fork = await house.networkHelpers.takeSnapshot();
    await house.fund(house.alice, { cash: "10" });
    await mirror.sync();
    expect(mirror.accounts.get(alice)?.cash).to.equal(wad("110"));
    await fork.restore();
    await house.fund(house.alice, { cash: "7" });
    await expectEqual(mirror, house, [alice]);
    expect(mirror.accounts.get(alice)?.cash).to.equal(wad("107"));
  });
});
