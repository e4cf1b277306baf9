import { Fraction } from "./fraction.ts";
import type { Account, Block, Holding, Parameters } from "./model.ts";

const [ETH, BTC, USD, WILD] = [0, 1, 2, 3] as const;
const [WETH, WSTETH, RETH, WBTC, STABLE, SHAKY, WILDCARD] = [0, 1, 2, 3, 4, 5, 6] as const;

const noDepeg = { depegThreshold: "0", depegFactor: "0" };
const noTracking = { tracking: "0", trackingInitial: "0" };

/** The defaults of the house, a stablecoin, and an underlying near the bounds whose haircuts are clamped. */
export const parameters: Parameters = {
  underlyings: [
    { kappa: "0.03", slope: "0.02", depth: "50000000", phi: "1.666666667", beta: "0.01", betaInitial: "0.03" },
    { kappa: "0.03", slope: "0.02", depth: "100000000", phi: "1.666666667", beta: "0.01", betaInitial: "0.03" },
    { kappa: "0.02", slope: "0.005", depth: "20000000", phi: "1.5", beta: "0.006", betaInitial: "0.012" },
    { kappa: "0.1", slope: "0.03", depth: "1000000", phi: "2.123456789", beta: "0.07", betaInitial: "0.2" },
  ],
  collaterals: [
    { underlying: ETH, haircut: "0.07", haircutInitial: "0.1", ...noTracking, ...noDepeg },
    {
      underlying: ETH,
      haircut: "0.09",
      haircutInitial: "0.12",
      tracking: "0.02",
      trackingInitial: "0.03",
      ...noDepeg,
    },
    {
      underlying: ETH,
      haircut: "0.3",
      haircutInitial: "0.5",
      tracking: "0.011",
      trackingInitial: "0.013",
      ...noDepeg,
    },
    { underlying: BTC, haircut: "0.07", haircutInitial: "0.1", ...noTracking, ...noDepeg },
    {
      underlying: USD,
      haircut: "0.02",
      haircutInitial: "0.05",
      ...noTracking,
      depegThreshold: "0.99",
      depegFactor: "4",
    },
    {
      underlying: USD,
      haircut: "0.04",
      haircutInitial: "0.06",
      tracking: "0.001",
      trackingInitial: "0.002",
      depegThreshold: "0.98",
      depegFactor: "1.2",
    },
    { underlying: WILD, haircut: "1", haircutInitial: "1", tracking: "0.05", trackingInitial: "0.06", ...noDepeg },
  ],
};

/** Numbers that look random and are the same on every run (Knuth's linear congruential generator). */
class Dice {
  #state: bigint;

  constructor(seed: bigint) {
    this.#state = seed;
  }

  below(limit: bigint): bigint {
    this.#state = (this.#state * 6364136223846793005n + 1442695040888963407n) % 2n ** 64n;
    return ((this.#state >> 16n) * limit) >> 48n;
  }

  /** A decimal number of `low` and above, below `high`, with so many decimals. */
  between(low: number, high: number, decimals: number): string {
    const unit = 10n ** BigInt(decimals);
    const start = Fraction.of(low.toString()).times(new Fraction(unit));
    const width = Fraction.of(high.toString()).times(new Fraction(unit)).minus(start);
    const drawn = start.numerator + this.below(width.numerator);
    return new Fraction(drawn, unit).toDecimal("down");
  }

  oneOf<T>(first: T, ...others: readonly T[]): T {
    return others[Number(this.below(BigInt(others.length + 1)))] ?? first;
  }
}

/** A block in a calm market. */
const calm = (underlying: number, price: string, sizes: string[], holdings: Holding[] = []): Block => ({
  underlying,
  price,
  muInitial: "1",
  muMaintenance: "1",
  sizes,
  holdings,
});

/** A balance at its price, which for a liquid-staking token is that of the underlying times a rate; rounded down. */
function holding(collateral: number, balance: string, price: string, rate = "1", ramp = "0"): Holding {
  const value = Fraction.of(balance).times(Fraction.of(rate)).times(Fraction.of(price)).toDecimal("down");
  return { collateral, ramp, value };
}

const only = (base: string, ...blocks: Block[]): Account => ({ base, blocks });

const ethPrice = (dice: Dice): string => dice.between(800, 5000, 8);
const stablePrice = (dice: Dice): string => dice.between(0.85, 1.01, 8);
const size = (dice: Dice): string => dice.oneOf("", "-") + dice.between(0.001, 500, 18);
const minus = (decimal: string): string => (decimal.startsWith("-") ? decimal.slice(1) : "-" + decimal);
const mu = (dice: Dice): string => dice.between(1, 3, 6);
const cash = (dice: Dice): string => dice.oneOf("", "-") + dice.between(0, 2_000_000, 18);

/** Kinds of accounts that are drawn. */
const kinds: Record<string, (dice: Dice) => Account> = {
  unhedged: (dice) => only(cash(dice), calm(ETH, ethPrice(dice), [size(dice)])),
  spread: (dice) => {
    const near = size(dice);
    return only(cash(dice), calm(ETH, ethPrice(dice), [near, minus(near), dice.oneOf("0", size(dice))]));
  },
  hedged: (dice) => {
    const [price, balance] = [ethPrice(dice), dice.between(0.01, 900, 18)];
    return only(cash(dice), calm(ETH, price, [minus(balance)], [holding(WETH, balance, price)]));
  },
  "partly hedged": (dice) => {
    const price = ethPrice(dice);
    const short = "-" + dice.between(0.01, 500, 18);
    return only(cash(dice), calm(ETH, price, [short], [holding(WETH, dice.between(0.01, 500, 18), price)]));
  },
  "wrong way": (dice) => {
    const price = ethPrice(dice);
    const long = dice.between(0.01, 500, 18);
    return only(cash(dice), calm(ETH, price, [long], [holding(WETH, dice.between(0.01, 500, 18), price)]));
  },
  "several collaterals": (dice) => {
    const price = ethPrice(dice);
    const assets = [WETH, WSTETH, RETH].map((asset) =>
      holding(asset, dice.between(0.01, 200, 18), price, asset === WETH ? "1" : dice.between(0.9, 1.3, 18)),
    );
    return only(cash(dice), calm(ETH, price, ["-" + dice.between(0.01, 700, 18), size(dice)], assets));
  },
  "liquid staking": (dice) => {
    const [price, balance, rate] = [ethPrice(dice), dice.between(0.01, 200, 18), dice.between(0.9, 1.3, 18)];
    const short = minus(Fraction.of(balance).times(Fraction.of(rate)).toDecimal("down"));
    return only(cash(dice), calm(ETH, price, [dice.oneOf(short, "0")], [holding(WSTETH, balance, price, rate)]));
  },
  depeg: (dice) => {
    const price = stablePrice(dice);
    const assets = [STABLE, SHAKY].map((asset) => holding(asset, dice.between(1, 5_000_000, 18), price));
    return only(cash(dice), calm(USD, price, [dice.oneOf("0", "-" + dice.between(1, 6_000_000, 18))], assets));
  },
  delisting: (dice) => {
    const price = ethPrice(dice);
    const assets = [WETH, WSTETH, RETH].map((asset) =>
      holding(asset, dice.between(0.01, 200, 18), price, "1", dice.oneOf("0", "1", dice.between(0, 1, 6))),
    );
    return only(cash(dice), calm(ETH, price, [dice.oneOf(size(dice), "-" + dice.between(0.01, 400, 18))], assets));
  },
  "delisting a stablecoin off its peg": (dice) => {
    const price = stablePrice(dice);
    const assets = [
      holding(STABLE, dice.between(1, 5_000_000, 18), price, "1", dice.between(0, 1, 6)),
      holding(SHAKY, dice.between(1, 5_000_000, 18), price),
    ];
    return only(cash(dice), calm(USD, price, [dice.oneOf("0", "-" + dice.between(1, 6_000_000, 18))], assets));
  },
  regimes: (dice) => {
    const price = ethPrice(dice);
    const block = calm(ETH, price, [size(dice)], [holding(RETH, dice.between(0.01, 200, 18), price)]);
    return only(cash(dice), { ...block, muInitial: mu(dice), muMaintenance: mu(dice) });
  },
  "around the depth": (dice) => {
    const block = calm(ETH, "2000", [dice.oneOf("", "-") + dice.between(24_000, 26_000, 18)]);
    return only("4000000", dice.oneOf(block, { ...block, muInitial: mu(dice) }));
  },
  clamped: (dice) => {
    const price = dice.between(0.5, 50, 8);
    const assets = [holding(WILDCARD, dice.between(0.01, 100_000, 18), price, "1", dice.oneOf("0", "0.5"))];
    const block = calm(WILD, price, [dice.oneOf("0", size(dice), "-" + dice.between(1, 90_000, 18))], assets);
    return only(cash(dice), { ...block, muInitial: mu(dice), muMaintenance: mu(dice) });
  },
  "several underlyings": (dice) => {
    const [eth, btc, usd] = [ethPrice(dice), dice.between(10_000, 150_000, 8), stablePrice(dice)];
    return only(
      cash(dice),
      calm(ETH, eth, [size(dice)], [holding(WETH, dice.between(0.01, 200, 18), eth)]),
      calm(BTC, btc, ["-" + dice.between(0.001, 50, 18)], [holding(WBTC, dice.between(0.001, 50, 8), btc)]),
      calm(USD, usd, [], [holding(STABLE, dice.between(1, 5_000_000, 6), usd)]),
    );
  },
};

/** Accounts at the corners, named for what is special about them. */
const corners: Record<string, Account> = {
  "cash only": only("12.5"),
  "debt only": only("-0.000000000000000001"),
  "a block with nothing in it": only("1", calm(ETH, "2000", [])),
  "size of zero and value of zero": only("1", calm(ETH, "2000", ["0"], [{ collateral: WETH, ramp: "0", value: "0" }])),
  "one wei long": only("1", calm(ETH, "2000.12345678", ["0.000000000000000001"])),
  "one wei short": only("1", calm(ETH, "2000.12345678", ["-0.000000000000000001"])),
  "long 1": only("500", calm(ETH, "2000", ["1"])),
  "hedged 1": only("0", calm(ETH, "2000", ["-1"], [holding(WETH, "1", "2000")])),
  "a wei more spot than short": only("0", calm(ETH, "2000", ["-1"], [holding(WETH, "1.000000000000000001", "2000")])),
  "a wei more short than spot": only("0", calm(ETH, "2000", ["-1.000000000000000001"], [holding(WETH, "1", "2000")])),
  "exactly at the depth": only("4000000", calm(ETH, "2000", ["25000"])),
  "a wei below the depth": only("4000000", calm(ETH, "2000", ["24999.999999999999999999"])),
  "a wei above the depth": only("4000000", calm(ETH, "2000", ["-25000.000000000000000001"])),
  "twice the depth by spot and long": only("1", calm(ETH, "2000", ["25000"], [holding(WETH, "25000", "2000")])),
  "wholly delisted": only("1", calm(ETH, "2000", ["-1"], [holding(WETH, "1", "2000", "1", "1")])),
  "exactly at the threshold": only("1", calm(USD, "0.99", [], [holding(STABLE, "1000", "0.99")])),
  "far off the peg": only("1", calm(USD, "0.1", ["-1000"], [holding(STABLE, "2000", "0.1")])),
  "the largest position": only("1", calm(WILD, "1000000", ["79228162514"], [])),
};

const DRAWS = 24;

/** Every named account of the shared vectors. */
export function accounts(): { readonly name: string; readonly account: Account }[] {
  const dice = new Dice(20_260_101n);
  return [
    ...Object.entries(corners).map(([name, account]) => ({ name, account })),
    ...Object.entries(kinds).flatMap(([kind, draw]) =>
      Array.from({ length: DRAWS }, (_, i) => ({ name: `${kind} ${i + 1}`, account: draw(dice) })),
    ),
  ];
}
