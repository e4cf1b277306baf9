import { expect } from "chai";

import { InvalidAddressBook, parseAddressBook } from "../../src/sdk/addressBook.ts";

const LOWER = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
const CHECKSUMMED = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/** A small address book; no two calls share an object. */
function book() {
  const contracts = { accessManager: LOWER, vault: LOWER, clearingHouse: LOWER, exchange: LOWER };
  return {
    chainId: 31337,
    deployBlock: 1,
    contracts: { ...contracts, riskEngine: LOWER, priceOracle: LOWER, insuranceFund: LOWER },
    cash: { symbol: "USDC", token: LOWER, decimals: 6, mock: true },
    underlyings: [{ id: 0, name: "ETH", feed: LOWER, feedDecimals: 8, mock: true }],
    markets: [{ id: 0, name: "ETH-PERP", underlying: 0 }],
    collaterals: [{ id: 0, symbol: "WETH", token: LOWER, decimals: 18, underlying: 0, mock: true }],
  };
}

describe("address book", () => {
  it("is read as it is, with checksums", () => {
    const expected = JSON.parse(JSON.stringify(book()).replaceAll(LOWER, CHECKSUMMED)) as unknown;
    expect(parseAddressBook(book())).to.deep.equal(expected);
  });

  it("that is malformed is refused by the path of what is wrong", () => {
    const good = book();
    const wrong: [unknown, string][] = [
      [undefined, "it must be an object"],
      [[], "it must be an object"],
      [{ ...good, chainId: 0 }, "chainId must be a whole number from 1"],
      [{ ...good, chainId: "31337" }, "chainId must be a whole number"],
      [{ ...good, deployBlock: 0.5 }, "deployBlock must be a whole number"],
      [{ ...good, contracts: { ...good.contracts, vault: "0x12" } }, "contracts.vault must be an address"],
      [{ ...good, cash: { ...good.cash, symbol: 1 } }, "cash.symbol must be a text"],
      [{ ...good, cash: { ...good.cash, decimals: 25 } }, "cash.decimals must be a whole number from 0 to 24"],
      [{ ...good, cash: { ...good.cash, mock: "yes" } }, "cash.mock must be true or false"],
      [{ ...good, markets: {} }, "markets must be a list"],
      [
        { ...good, markets: [...good.markets, { id: 1, name: "BTC-PERP" }] },
        "markets[1].underlying must be a whole number",
      ],
      [
        { ...good, underlyings: [{ ...good.underlyings[0], id: 256 }] },
        "underlyings[0].id must be a whole number from 0 to 255",
      ],
      [{ ...good, version: 2 }, "version must be left out"],
    ];
    for (const [value, reason] of wrong) {
      expect(() => parseAddressBook(value, "book.json"), reason).to.throw(
        InvalidAddressBook,
        `book.json is no address book: ${reason}`,
      );
    }
  });
});
