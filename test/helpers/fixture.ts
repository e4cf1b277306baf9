import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { network } from "hardhat";
import type { NetworkConnection } from "hardhat/types/network";

import { resolveNetwork } from "../../deploy/config.ts";
import local from "../../deploy/networks/local.ts";
import { deployPlimsoll } from "../../deploy/plimsoll.ts";
import { accountId } from "../../src/sdk/accountId.ts";
import { buildOrder, signOrder } from "../../src/sdk/orders.ts";
import type { Order, OrderFields } from "../../src/sdk/orders.ts";
import { fromWadDown, parseAmount, parsePrice, parseWad } from "../../src/sdk/units.ts";
import {
  AccessManager__factory,
  IClearingHouse__factory,
  Exchange__factory,
  InsuranceFund__factory,
  MockERC20__factory,
  MockV3Aggregator__factory,
  PriceOracle__factory,
  RiskEngine__factory,
  Vault__factory,
} from "../../types/index.ts";

/** Ids of the local network: positions in the lists of `deploy/networks/local.ts`. */
export const ETH = 0;
export const BTC = 1;
/** USDT as an underlying. */
export const USDT_INDEX = 2;
export const WETH = 0;
export const WBTC = 1;
export const WSTETH = 2;
/** USDT as a collateral asset. */
export const USDT = 3;

/** A decimal number in WAD. */
export const wad = parseWad;

let shared: Promise<NetworkConnection> | undefined;

/** The in-process connection that all tests of one run may share. */
export function connection(): Promise<NetworkConnection> {
  return (shared ??= network.create());
}

/** A fresh copy of the deployed house: a snapshot of the shared chain. */
export async function freshHouse(): Promise<Fixture> {
  return (await connection()).networkHelpers.loadFixture(deployFixture);
}

export type Fixture = Awaited<ReturnType<typeof deployFixture>>;

/** Deploys everything in-process with the local parameters (ETH 2,000, BTC 30,000, USDT 1, wstETH at 1.149 ETH); for `loadFixture`. */
export async function deployFixture(connection: NetworkConnection) {
  const { addressBook } = await deployPlimsoll(connection, resolveNetwork(local));
  const { ethers, networkHelpers } = connection;
  const { contracts: c, cash, collaterals, underlyings } = addressBook;
  const [deployer, alice, bob, carol, dave, keeper] = (await ethers.getSigners()) as [
    HardhatEthersSigner,
    HardhatEthersSigner,
    HardhatEthersSigner,
    HardhatEthersSigner,
    HardhatEthersSigner,
    HardhatEthersSigner,
  ];
  const vault = Vault__factory.connect(c.vault, deployer);
  const clearingHouse = IClearingHouse__factory.connect(c.clearingHouse, deployer);
  const exchange = Exchange__factory.connect(c.exchange, deployer);
  const token = (address: string | undefined) => MockERC20__factory.connect(address ?? "", deployer);
  const feed = (id: number) => MockV3Aggregator__factory.connect(underlyings[id]?.feed ?? "", deployer);
  const usdc = token(cash.token);
  const weth = token(collaterals[WETH]?.token);
  const wbtc = token(collaterals[WBTC]?.token);
  const wsteth = token(collaterals[WSTETH]?.token);
  const usdt = token(collaterals[USDT]?.token);
  const feeds = [feed(ETH), feed(BTC), feed(USDT_INDEX)] as const;
  const priceOracle = PriceOracle__factory.connect(c.priceOracle, deployer);
  const { rate, market } = await priceOracle.rateFeedsOf(WSTETH);
  const rates = {
    rate: MockV3Aggregator__factory.connect(rate, deployer),
    market: MockV3Aggregator__factory.connect(market, deployer),
  };
  let nonce = 1n;

  /** Mints `amount` [wad] of a token to `owner` and deposits it into `account`. */
  async function give(owner: HardhatEthersSigner, mock: typeof usdc, amount: string, account: bigint): Promise<void> {
    const units = fromWadDown(parseWad(amount), Number(await mock.decimals()));
    if (units === 0n) return;
    await mock.mint(owner, units);
    await mock.connect(owner).approve(vault, units);
    await clearingHouse.connect(owner).deposit(account, mock, units);
  }

  /** Deposits human amounts of USDC and collateral into an account of `owner`, his main one unless said otherwise. */
  async function fund(
    owner: HardhatEthersSigner,
    amounts: { cash?: string; weth?: string; wbtc?: string; wsteth?: string; usdt?: string },
    account = accountId(owner.address),
  ): Promise<bigint> {
    await give(owner, usdc, amounts.cash ?? "0", account);
    await give(owner, weth, amounts.weth ?? "0", account);
    await give(owner, wbtc, amounts.wbtc ?? "0", account);
    await give(owner, wsteth, amounts.wsteth ?? "0", account);
    await give(owner, usdt, amounts.usdt ?? "0", account);
    return account;
  }

  /** A signed order of `owner`'s main account, with a nonce of its own; `fields` overrides anything. */
  async function order(
    owner: HardhatEthersSigner,
    fields: Pick<OrderFields, "market" | "size" | "limitPrice"> & Partial<Order>,
  ): Promise<{ order: Order; signature: string }> {
    const state = await exchange.ownerState(owner);
    const order = buildOrder({ account: accountId(owner.address), nonce: nonce++, epoch: state.epoch, ...fields });
    return { order, signature: await signOrder(owner, addressBook, order) };
  }

  /**
   * Trades: `taker` buys human `size` (negative: sells) of `market` from `maker` at a human `price`.
   * `accounts` names other accounts than the main ones.
   */
  async function trade(
    maker: HardhatEthersSigner,
    taker: HardhatEthersSigner,
    market: number,
    size: string,
    price: string,
    accounts: { maker?: bigint; taker?: bigint } = {},
  ) {
    const terms = { market: BigInt(market), limitPrice: parsePrice(price) };
    const resting = await order(maker, {
      ...terms,
      size: -parseWad(size),
      resting: true,
      account: accounts.maker ?? accountId(maker.address),
    });
    const taking = await order(taker, {
      ...terms,
      size: parseWad(size),
      account: accounts.taker ?? accountId(taker.address),
    });
    return exchange.settle([resting, taking], [{ maker: 0, taker: 1 }]);
  }

  /** Moves the index of an underlying to a human `price`, in a new round of its feed. */
  async function setPrice(underlying: 0 | 1 | 2, price: string): Promise<void> {
    await feeds[underlying].updateAnswer(parseAmount(price, 8));
  }

  /** Sets what a wstETH is worth in ETH, by its rate feed and on the market, in new rounds of both feeds. */
  async function setRate(rate: string, market = rate): Promise<void> {
    await rates.rate.updateAnswer(parseAmount(rate, 8));
    await rates.market.updateAnswer(parseAmount(market, 8));
  }

  /** Lets `seconds` pass and gives all feeds a new round at their last answers, so that no price is stale. */
  async function pass(seconds: number): Promise<void> {
    await networkHelpers.time.increase(seconds);
    for (const f of [...feeds, rates.rate, rates.market]) await f.updateAnswer(await f.latestAnswer());
  }

  return {
    connection,
    ethers,
    networkHelpers,
    addressBook,
    accessManager: AccessManager__factory.connect(c.accessManager, deployer),
    vault,
    clearingHouse,
    exchange,
    riskEngine: RiskEngine__factory.connect(c.riskEngine, deployer),
    priceOracle,
    insuranceFund: InsuranceFund__factory.connect(c.insuranceFund, deployer),
    usdc,
    weth,
    wbtc,
    wsteth,
    usdt,
    feeds,
    rates,
    deployer,
    alice,
    bob,
    carol,
    dave,
    keeper,
    fund,
    order,
    trade,
    setPrice,
    setRate,
    pass,
  };
}
