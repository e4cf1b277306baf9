import { expect } from "chai";
import { AbiCoder, id, JsonRpcProvider, toBeHex, verifyTypedData, Wallet } from "ethers";

import { NoPermit, signPermit } from "../../src/sdk/permits.ts";

const DAI = "0x6B175474E89094C44Da98b954EedeAC495271d0F";
const VAULT = "0x00000000000000000000000000000000000000A1";
const NONCE = 7n;
/** As DAI's source on Ethereum has them. */
const DOMAIN = { name: "Dai Stablecoin", version: "1", chainId: 1, verifyingContract: DAI };
const SEPARATOR = "0xdbb8cf42e1ecb028be3f3dbc922e1d878b963f411dc388ced501601c60f7c6f7";
const TYPES = {
  Permit: [
    { name: "holder", type: "address" },
    { name: "spender", type: "address" },
    { name: "nonce", type: "uint256" },
    { name: "expiry", type: "uint256" },
    { name: "allowed", type: "bool" },
  ],
};

/** A node of Ethereum that knows the four views of DAI that a permit needs. */
class DaiNode extends JsonRpcProvider {
  readonly #views: Readonly<Record<string, string>>;

  constructor(separator: string) {
    super("http://unused", 1, { staticNetwork: true });
    const encode = (type: string, value: unknown) => AbiCoder.defaultAbiCoder().encode([type], [value]);
    this.#views = {
      "name()": encode("string", DOMAIN.name),
      "version()": encode("string", DOMAIN.version),
      "nonces(address)": encode("uint256", NONCE),
      "DOMAIN_SEPARATOR()": separator,
    };
  }

  override send(method: string, params: readonly { data?: string }[]): Promise<unknown> {
    if (method === "eth_chainId") return Promise.resolve(toBeHex(1));
    const view = Object.keys(this.#views).find((name) => params[0]?.data?.startsWith(id(name).slice(0, 10)));
    return Promise.resolve(this.#views[view ?? ""] ?? "0x");
  }
}

describe("AUTH-1 permits of DAI on Ethereum", () => {
  const wallet = Wallet.createRandom();
  const terms = { token: DAI, spender: VAULT, amount: 25n, deadline: 1_900_000_000n };

  it("are signed as DAI's own Permit, all or nothing", async () => {
    const { v, r, s, deadline } = await signPermit(wallet.connect(new DaiNode(SEPARATOR)), terms);
    const message = { holder: wallet.address, spender: VAULT, nonce: NONCE, expiry: deadline, allowed: true };
    expect(verifyTypedData(DOMAIN, TYPES, message, { v, r, s })).to.equal(wallet.address);
  });

  it("are not signed for what only calls itself DAI", async () => {
    const node = new DaiNode(id("another domain"));
    const error = await signPermit(wallet.connect(node), terms).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(NoPermit).with.property("token", DAI);
  });
});
