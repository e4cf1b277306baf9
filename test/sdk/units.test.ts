import { expect } from "chai";
import fc from "fast-check";

import { AccountIndexTooLarge, accountId, accountParts, isolatedAccountId } from "../../src/sdk/accountId.ts";
import {
  formatAmount,
  fromWadDown,
  InvalidAmount,
  parseAmount,
  parsePrice,
  PriceNotPositive,
  toWadDown,
} from "../../src/sdk/units.ts";

const decimals = fc.integer({ min: 0, max: 24 });

describe("units", () => {
  it("reads and writes known amounts", () => {
    expect(parseAmount("1234.56", 6)).to.equal(1_234_560_000n);
    expect(parseAmount("-0.000001", 6)).to.equal(-1n);
    expect(parseAmount("7", 0)).to.equal(7n);
    expect(parseAmount("1.50000000000000000000000000", 2)).to.equal(150n);
    expect(formatAmount(1_234_560_000n, 6)).to.equal("1234.56");
    expect(formatAmount(-1n, 6)).to.equal("-0.000001");
    expect(formatAmount(0n, 18)).to.equal("0");
    expect(formatAmount(70n, 0)).to.equal("70");
    expect(parsePrice("2000")).to.equal(2_000n * 10n ** 18n);
  });

  it("refuses what is no decimal number, and digits that would be lost", () => {
    for (const text of ["", ".", "1.", ".5", "1e3", "0x10", "1,000", " 1", "--1", "NaN", "0.0000001"]) {
      expect(() => parseAmount(text, 6), text).to.throw(InvalidAmount);
    }
    expect(() => parsePrice("0")).to.throw(PriceNotPositive);
    expect(() => parsePrice("-1")).to.throw(PriceNotPositive);
  });

  it("reads back every amount that it writes", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(1n << 255n), max: 1n << 255n }), decimals, (amount, d) => {
        expect(parseAmount(formatAmount(amount, d), d)).to.equal(amount);
      }),
    );
  });

  it("converts between token units and WAD, never in the user's favour", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 1n << 200n }), decimals, (amount, d) => {
        expect(fromWadDown(toWadDown(amount, d), d) <= amount).to.equal(true);
        if (d <= 18) expect(fromWadDown(toWadDown(amount, d), d)).to.equal(amount);
      }),
    );
  });
});

describe("account ids", () => {
  const owner = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

  it("are packed as the contracts pack them", () => {
    const base = BigInt(owner) << 96n;
    expect(accountId(owner)).to.equal(base);
    expect(accountId(owner, 3)).to.equal(base | 3n);
    expect(isolatedAccountId(owner, 5, 2)).to.equal(base | (1n << 95n) | (5n << 80n) | 2n);
  });

  it("come apart into what they were made of", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: (1n << 80n) - 1n }),
        fc.option(fc.bigInt({ min: 0n, max: (1n << 15n) - 1n }), { nil: undefined }),
        (serial, isolatedMarket) => {
          const id =
            isolatedMarket === undefined ? accountId(owner, serial) : isolatedAccountId(owner, isolatedMarket, serial);
          expect(accountParts(id)).to.deep.equal({ owner, serial, isolatedMarket });
        },
      ),
    );
  });

  it("have bounds", () => {
    expect(() => accountId(owner, 1n << 80n)).to.throw(AccountIndexTooLarge);
    expect(() => isolatedAccountId(owner, 1n << 15n)).to.throw(AccountIndexTooLarge);
    expect(() => accountId(owner, -1)).to.throw(AccountIndexTooLarge);
  });
});
