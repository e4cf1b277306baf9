import { expect } from "chai";
import { Contract } from "ethers";

import { depositCall, permitCall } from "../../src/sdk/calls.ts";
import { Plimsoll } from "../../src/sdk/client.ts";
import { signIntent } from "../../src/sdk/intents.ts";
import { NoPermit, PERMIT2, signPermit, signPermit2 } from "../../src/sdk/permits.ts";
import type { Permit } from "../../src/sdk/permits.ts";
import { IPermit2__factory, MockERC20__factory, OddToken__factory } from "../../types/index.ts";
import { freshHouse, wad } from "../helpers/fixture.ts";
import { deployPermit2 } from "../helpers/permit2.ts";
import { call, cashOf, main, NEVER, refused, usdc } from "../helpers/unit.ts";

/** Alice has 1,000 USDC at hand and has approved nothing. */
async function house() {
  const h = await freshHouse();
  await h.usdc.mint(h.alice, usdc("1000"));
  const token = await h.usdc.getAddress();
  const spender = await h.vault.getAddress();
  const terms = { token, spender, amount: usdc("400"), deadline: BigInt(await h.networkHelpers.time.latest()) + 600n };
  const bring = ({ deadline, v, r, s }: Permit, amount = terms.amount) =>
    h.vault.connect(h.keeper).permit(token, h.alice, amount, deadline, v, r, s);
  return { ...h, token, terms, bring, client: await Plimsoll.connect(h.addressBook, h.alice) };
}

describe("permit", () => {
  it("AUTH-1 a deposit needs no approval: permit and deposit in one transaction", async () => {
    const h = await house();
    await h.client.depositWithPermit(main(h.alice), "USDC", "400");
    expect(await cashOf(h, main(h.alice))).to.equal(wad("400"));
    expect(await h.usdc.allowance(h.alice, h.vault)).to.equal(0n);
  });

  it("AUTH-1 needs neither gas nor a transaction of the owner: permit and intent, brought by anybody", async () => {
    const h = await house();
    const permit = await signPermit(h.alice, h.terms);
    const intent = { name: "Deposit", account: main(h.alice), token: h.token, amount: h.terms.amount } as const;
    const a = await signIntent(h.alice, h.addressBook, intent, { nonce: 3n, deadline: NEVER, epoch: 0n });
    const data = h.exchange.interface.encodeFunctionData("depositFor", [intent.account, h.token, intent.amount, a]);
    await h.clearingHouse
      .connect(h.keeper)
      .batch([permitCall(h.addressBook, h.alice.address, "USDC", "400", permit), call(h.exchange, data)]);
    expect(await cashOf(h, main(h.alice))).to.equal(wad("400"));
    expect(await h.usdc.balanceOf(h.alice)).to.equal(usdc("600"));
  });

  it("AUTH-4 who brings a permit in front spoils nothing", async () => {
    const h = await house();
    const permit = await signPermit(h.alice, h.terms);
    await h.bring(permit);
    const calls = [
      permitCall(h.addressBook, h.alice.address, "USDC", "400", permit),
      depositCall(h.addressBook, main(h.alice), "USDC", "400"),
    ];
    await h.clearingHouse.connect(h.alice).batch(calls);
    expect(await cashOf(h, main(h.alice))).to.equal(wad("400"));
  });

  it("AUTH-1 refuses what is forged, altered, expired, replayed or of another chain's or token's", async () => {
    const h = await house();
    const good = await signPermit(h.alice, h.terms);
    const forged = await signPermit(h.bob, h.terms);
    const late = await signPermit(h.alice, { ...h.terms, deadline: 1n });
    const { r, s } = await signPermit(h.alice, { ...h.terms, amount: usdc("399") });
    for (const permit of [forged, late, { ...good, r, s }, { ...good, deadline: good.deadline + 1n }]) {
      await refused(h, () => h.bring(permit), "Permit2Failed", [], h.vault);
    }
    await refused(h, () => h.bring(good, 1n << 160n), "Permit2AmountOverflow", [], h.vault);
    await h.bring(good);
    await h.client.deposit(main(h.alice), "USDC", "400"); // uses the allowance up
    await refused(h, () => h.bring(good), "Permit2Failed", [], h.vault);
  });

  it("MMS-3 in a batch no stranger's token runs, and of the vault nothing but permits", async () => {
    const h = await house();
    const stranger = await new MockERC20__factory(h.alice).deploy("Stranger", "STR", 18);
    const address = await stranger.getAddress();
    const { v, r, s, deadline } = await signPermit(h.alice, { ...h.terms, token: address });
    const encode = h.vault.interface.encodeFunctionData.bind(h.vault.interface);
    const data = encode("permit", [address, h.alice.address, h.terms.amount, deadline, v, r, s]);
    const batch = (of: string) => () => h.clearingHouse.connect(h.alice).batch([call(h.vault, of)]);
    await refused(h, batch(data), "UnknownAsset", [address]);
    const vault = await h.vault.getAddress();
    await h.usdc.mint(vault, 1n);
    await refused(h, batch(encode("push", [h.token, h.alice.address, 1n])), "InvalidBatchTarget", [vault]);
  });

  it("AUTH-1 Permit2 does for tokens without permits, as long and as far as it was signed", async () => {
    const h = await house();
    await deployPermit2(h);
    const permit2 = IPermit2__factory.connect(PERMIT2, h.alice);
    const permitted = () => h.client.depositWithPermit(main(h.alice), "USDC", "300", "permit2");
    await refused(h, permitted, "TransferFromFailed", [], h.vault); // Permit2 itself is not approved
    await h.usdc.connect(h.alice).approve(PERMIT2, usdc("1000"));
    await permitted();
    expect(await cashOf(h, main(h.alice))).to.equal(wad("300"));
    const permit = await signPermit2(h.alice, h.terms);
    await h.bring(permit);
    await h.bring(permit); // is there already
    const { amount, expiration, nonce } = await permit2.allowance(h.alice, h.token, h.vault);
    expect([amount, expiration, nonce]).to.deep.equal([h.terms.amount, 2n ** 48n - 1n, 2n]);
    const deposit = (amount: string) => () =>
      h.clearingHouse.connect(h.alice).deposit(main(h.alice), h.usdc, usdc(amount));
    await refused(h, deposit("400.000001"), "ERC20InsufficientAllowance", undefined, h.usdc);
    await deposit("150")();
    const limited = new Contract(PERMIT2, ["function approve(address, address, uint160, uint48)"], h.alice);
    await limited.getFunction("approve")(h.token, h.vault, usdc("250"), h.terms.deadline);
    await h.networkHelpers.time.increaseTo(h.terms.deadline);
    await refused(h, deposit("250"), "ERC20InsufficientAllowance", undefined, h.usdc);
    expect(await cashOf(h, main(h.alice))).to.equal(wad("450"));
    await refused(h, () => h.bring(permit, usdc("250")), "Permit2Failed", [], h.vault);
  });

  it("AUTH-1 is not signed for a token whose domain is unknown", async () => {
    const h = await house();
    const odd = await new OddToken__factory(h.deployer).deploy(6);
    const token = await odd.getAddress();
    const refusal = await signPermit(h.alice, { ...h.terms, token }).catch((error: unknown) => error);
    expect(refusal).to.be.instanceOf(NoPermit).with.property("token", token);
  });
});
