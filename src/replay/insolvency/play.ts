import { legs, totalProfit } from "../../risk/pools.ts";
import { abs, max, PPM, WAD } from "../../risk/fixed.ts";
import { ASSETS, MINUTE } from "../path.ts";
import type { Asset } from "../path.ts";
import { House } from "./house.ts";
import type { Losses, Terms } from "./house.ts";
import type { Tracks } from "./path.ts";
import type { Strategy } from "./strategy.ts";

const AFTER = 120; // minutes after its release at which a loser that is still safe is closed
const DAY = 1440; // minutes
const LOSER = "loser";
const WINNER = "winner";
const OWN = "own taker";
const ATTACKER = [LOSER, WINNER, OWN];
const LONG = "others long";
const SHORT = "others short";
const HONEST = "honest taker";
const DEEP = 10n ** 30n; // [wad] cash that is always enough
const UNIT = 1e9;

/** Where a strategy is played. */
export interface Setting {
  readonly terms: Terms;
  readonly tracks: Tracks;
  readonly openInterest: bigint; // [wad USD] of the others, on each side of each market
  readonly delay: number; // minutes after which an honest taker takes an account below MM
  readonly wicks: boolean; // whether liquidations meet the worst price of their minute, not its close
}

/** What a strategy brought [wad]. */
export interface Outcome {
  readonly gain: bigint; // of the owner of all accounts of the pair, in cash
  readonly notional: bigint; // of one side of the pair
  readonly bound: bigint; // what fund, ℓ on others and rescue could pay him in 24 hours
  readonly losses: Losses;
  readonly imbalance: bigint; // of the market's books, zero but for rounding
}

/** Plays a strategy from its opening to the last claim. */
export function play(strategy: Strategy, setting: Setting): Outcome {
  return new Play(strategy, setting).run();
}

class Play {
  readonly #strategy: Strategy;
  readonly #setting: Setting;
  readonly #house: House;
  readonly #assets: readonly Asset[];
  #received = 0n; // [wad] out of the house less into it
  #notional = 0n;
  #minute: number;
  #time = 0;
  #belowSince: number | undefined;
  #centre: Partial<Record<Asset, bigint>> = {};
  #centredAt = 0;
  readonly #fundCaps = new Map<number, bigint>();
  readonly #chargeCaps = new Map<number, bigint>();

  constructor(strategy: Strategy, setting: Setting) {
    this.#strategy = strategy;
    this.#setting = setting;
    this.#house = new House({ ...setting.terms, risk: spread(setting.terms, BigInt(strategy.wallets)) });
    this.#assets = ASSETS.filter((asset) => strategy.lean[asset] !== undefined);
    this.#minute = strategy.release - strategy.hold;
  }

  run(): Outcome {
    const { hold, rounds } = this.#strategy;
    const first = this.#minute;
    this.#goTo("close");
    this.#openOthers();
    for (let round = 0; round < rounds; ++round) {
      this.#openPair();
      this.#playRound(this.#minute + hold);
      const end = this.#minute + hold + AFTER;
      if (end - first > DAY || end >= this.#setting.tracks.minutes) break;
    }
    return this.#outcome();
  }

  // ---------------------------------------------------------------- one round

  #playRound(release: number): void {
    const { tracks, wicks } = this.#setting;
    while (this.#minute < tracks.minutes - 1) {
      this.#minute += 1;
      if (wicks) {
        this.#goTo("worst");
        this.#watch();
      }
      this.#goTo("close");
      if (this.#minute <= release) this.#recentre();
      if (this.#minute === release) this.#collect();
      this.#support(WINNER, 1);
      this.#watch();
      if (this.#isOver(release)) break;
    }
    this.#close();
  }

  #isOver(release: number): boolean {
    if (this.#assets.every((asset) => this.#sizeOf(LOSER, asset) === 0n)) return true;
    return this.#belowSince === undefined && this.#minute > release + AFTER;
  }

  /** The others hold their positions at the first price and more cash than they can lose. */
  #openOthers(): void {
    for (const name of [LONG, SHORT, HONEST]) this.#house.deposit(name, DEEP);
    for (const asset of this.#assets) {
      const price = this.#priceOf(asset);
      this.#house.trade(SHORT, LONG, marketOf(asset), (this.#setting.openInterest * WAD) / price, price, true);
    }
  }

  #openPair(): void {
    const { notional, coins, margin } = this.#strategy;
    const target = (this.#setting.openInterest * wad(notional)) / WAD / BigInt(this.#assets.length);
    this.#notional = 0n;
    for (const asset of this.#assets) {
      const size = (target * WAD) / this.#priceOf(asset);
      const amount = (size * wad(coins)) / WAD;
      this.#notional += target;
      if (amount !== 0n) this.#house.depositCollateral(LOSER, marketOf(asset), amount);
      this.#received -= (amount * this.#priceOf(asset)) / WAD;
      this.#tradePair(asset, size);
    }
    this.#neutralise();
    for (const name of [LOSER, WINNER]) this.#fund(name, margin);
    this.#markCentre();
  }

  #tradePair(asset: Asset, size: bigint): void {
    const lean = BigInt(this.#strategy.lean[asset] ?? 1);
    const band = this.#setting.terms.markets[marketOf(asset)]?.priceBand ?? 0n;
    const offset = (band * lean * wad(this.#strategy.offset)) / WAD;
    const price = (this.#priceOf(asset) * (PPM + offset)) / PPM;
    this.#house.trade(WINNER, LOSER, marketOf(asset), lean * size, price);
  }

  /** Pays in what an account lacks of a multiple of IM, not counting profit that nobody has paid. */
  #fund(name: string, margin: number): void {
    this.#house.settle(name);
    const { equity, initialMargin } = this.#house.assess(name);
    const unpaid = totalProfit(legs(this.#house.account(name), this.#house.state));
    this.#payIn(name, (initialMargin * wad(margin)) / WAD - (equity - unpaid));
  }

  // ---------------------------------------------------------------- the attacker

  #recentre(): void {
    const { every, threshold, trades, floor, margin } = this.#strategy;
    if (every === 0 || this.#minute - this.#centredAt < every) return;
    if (!trades && this.#isThin()) return;
    const moved = this.#assets.some((asset) => {
      const centre = this.#centre[asset] ?? 1n;
      return abs(this.#priceOf(asset) - centre) * BigInt(UNIT) >= centre * BigInt(Math.round(threshold * UNIT));
    });
    if (!moved || this.#house.assess(LOSER).equity < 0n) return;
    this.#collect();
    if (trades) {
      for (const asset of this.#assets) {
        const size = abs(this.#sizeOf(LOSER, asset));
        this.#tradePair(asset, -size);
        this.#tradePair(asset, size);
      }
      for (const name of [LOSER, WINNER]) this.#fund(name, margin);
    } else {
      for (const name of [LOSER, WINNER]) this.#support(name, floor);
    }
    this.#markCentre();
  }

  /** Nothing to take out of the loser and nothing to pay in: what most minutes are like. */
  #isThin(): boolean {
    const { equity, initialMargin, maintenanceMargin } = this.#house.assess(LOSER);
    const least = (maintenanceMargin * wad(this.#strategy.floor)) / WAD;
    return equity >= least && equity <= initialMargin + initialMargin / 1000n;
  }

  #markCentre(): void {
    this.#centredAt = this.#minute;
    for (const asset of this.#assets) this.#centre[asset] = this.#priceOf(asset);
  }

  /** Pays in what an account lacks of a multiple of MM. */
  #support(name: string, floor: number): void {
    const { equity, maintenanceMargin } = this.#house.assess(name);
    this.#payIn(name, (maintenanceMargin * wad(floor)) / WAD + 1n - equity);
  }

  /** Takes out all that can leave, and keeps the winner safe. */
  #collect(): void {
    if (this.#strategy.runs) this.#settle([LONG, SHORT, HONEST].filter((name) => this.#loses(name)));
    this.#settle(ATTACKER);
    for (const name of ATTACKER) {
      this.#house.claim(name);
      this.#received += this.#house.withdraw(name);
    }
    this.#support(WINNER, 1);
  }

  /** What happens to a loser below MM: flags, the attacker's own taker, the honest one. */
  #watch(): void {
    const { equity, maintenanceMargin } = this.#house.assess(LOSER);
    if (equity >= maintenanceMargin) {
      if (this.#belowSince !== undefined) this.#house.flag(LOSER, OWN);
      this.#belowSince = undefined;
      return;
    }
    this.#belowSince ??= this.#time;
    this.#collect();
    const { flags, takesAfter } = this.#strategy;
    const waited = this.#time - this.#belowSince;
    const { delay, tracks } = this.#setting;
    const taken = waited >= delay * MINUTE || this.#minute >= tracks.minutes - 1;
    if (takesAfter >= 0 && waited >= takesAfter * MINUTE) this.#liquidate(OWN);
    else if (taken) this.#liquidate(HONEST);
    else if (flags) this.#house.flag(LOSER, OWN);
    this.#upkeep();
  }

  #liquidate(taker: string): void {
    this.#noteCaps();
    if (taker === OWN) this.#payIn(OWN, DEEP);
    this.#house.liquidate(LOSER, taker);
    this.#belowSince = undefined;
    if (taker === OWN) {
      for (const asset of this.#assets) {
        this.#house.trade(WINNER, OWN, marketOf(asset), -this.#sizeOf(OWN, asset), this.#priceOf(asset), true);
      }
    }
    this.#neutralise();
    this.#collect();
    if (!this.#strategy.stays) this.#closeLoser();
  }

  /** Brings the sizes and coins of all accounts together back to nothing, at the mark and without a fee. */
  #neutralise(): void {
    for (const asset of this.#assets) {
      const market = marketOf(asset);
      const held = ATTACKER.map((name) => this.#sizeOf(name, asset) + this.#coinsOf(name, asset));
      const net = held.reduce((sum, size) => sum + size, 0n);
      if (net !== 0n) this.#house.trade(HONEST, WINNER, market, -net, this.#priceOf(asset), true);
    }
  }

  #closeLoser(): void {
    for (const asset of this.#assets) {
      const size = this.#sizeOf(LOSER, asset);
      if (size !== 0n) this.#house.trade(WINNER, LOSER, marketOf(asset), -size, this.#priceOf(asset));
    }
  }

  /** Closes the pair, sells its coins and collects what there is to collect. */
  #close(): void {
    this.#closeLoser();
    for (const asset of this.#assets) {
      for (const name of ATTACKER) {
        const coins = this.#coinsOf(name, asset);
        if (coins === 0n) continue;
        this.#house.depositCollateral(name, marketOf(asset), -coins);
        this.#house.deposit(name, (coins * this.#priceOf(asset)) / WAD);
      }
    }
    this.#neutralise();
    this.#collect();
    this.#settle([LONG, SHORT, HONEST]);
    this.#collect();
    this.#belowSince = undefined;
  }

  // ---------------------------------------------------------------- the house

  #upkeep(): void {
    this.#settle([LONG, SHORT, HONEST]);
    this.#house.sweepFees();
  }

  /** Settles losers first, so that winners can be paid from them. */
  #settle(names: readonly string[]): void {
    for (const name of names) if (this.#loses(name)) this.#house.settle(name);
    for (const name of names) if (!this.#loses(name)) this.#house.settle(name);
  }

  #loses(name: string): boolean {
    return legs(this.#house.account(name), this.#house.state).some(({ pnl }) => pnl < 0n);
  }

  /** Goes to the close of the minute, or to its middle at the prices that are worst for the loser. */
  #goTo(moment: "close" | "worst"): void {
    const { lean } = this.#strategy;
    this.#time = this.#minute * MINUTE + (moment === "close" ? MINUTE : MINUTE / 2);
    const prices = this.#assets.flatMap((asset) => {
      const at = moment === "close" ? "close" : lean[asset] === 1 ? "low" : "high";
      const minute = this.#setting.tracks.byAsset[asset][this.#minute];
      return minute === undefined ? [] : [[marketOf(asset), minute[at]] as const];
    });
    this.#house.at(BigInt(this.#time), new Map(prices));
  }

  #noteCaps(): void {
    for (const asset of this.#assets) {
      const market = marketOf(asset);
      const cap = this.#setting.terms.markets[market]?.socialisationCap ?? 0n;
      const others = this.#house.openInterest(market, this.#sizeOf(LOSER, asset) < 0n, ATTACKER);
      const charge = (((others * this.#priceOf(asset)) / WAD) * cap) / PPM;
      this.#fundCaps.set(market, max(this.#fundCaps.get(market) ?? 0n, this.#house.fundCap(market)));
      this.#chargeCaps.set(market, max(this.#chargeCaps.get(market) ?? 0n, charge));
    }
  }

  #outcome(): Outcome {
    const house = this.#house;
    const sum = (caps: ReadonlyMap<number, bigint>) => [...caps.values()].reduce((total, cap) => total + cap, 0n);
    const bound = sum(this.#fundCaps) + sum(this.#chargeCaps);
    const gain = this.#received;
    const imbalances = this.#assets.map((asset) => abs(house.imbalance(marketOf(asset))));
    return {
      gain,
      notional: this.#notional,
      bound,
      losses: house.losses,
      imbalance: imbalances.reduce(max, 0n),
    };
  }

  // ---------------------------------------------------------------- small things

  #payIn(name: string, amount: bigint): void {
    if (amount <= 0n) return;
    this.#house.deposit(name, amount);
    this.#received -= amount;
  }

  #sizeOf(name: string, asset: Asset): bigint {
    return this.#house.sizeOf(name, marketOf(asset));
  }

  #coinsOf(name: string, asset: Asset): bigint {
    return this.#house.account(name).collaterals.get(marketOf(asset)) ?? 0n;
  }

  #priceOf(asset: Asset): bigint {
    return this.#house.priceOf(marketOf(asset));
  }
}

/** Markets, underlyings and collaterals of an asset share its number. */
export function marketOf(asset: Asset): number {
  return ASSETS.indexOf(asset);
}

/** Size charges of `wallets` accounts that share a position are those of one account in a market so many times as deep. */
function spread({ risk }: Terms, wallets: bigint): Terms["risk"] {
  const underlyings = [...risk.underlyings].map(([id, u]) => [id, { ...u, depth: u.depth * wallets }] as const);
  return { ...risk, underlyings: new Map(underlyings) };
}

function wad(x: number): bigint {
  return (BigInt(Math.round(x * UNIT)) * WAD) / BigInt(UNIT);
}
