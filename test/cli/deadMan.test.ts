import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";

import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";
import { ask, fails, tell } from "./support.ts";

describe("plimsoll dead-man", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "plimsoll-cli-"));
  const files = [path.join(folder, "ask.json"), path.join(folder, "bid.json")];
  let venue: Venue;
  let alice: Trader;
  let key: Trader;

  before(async () => {
    venue = await Venue.open();
    [alice, key] = [await venue.trader("10000"), await venue.trader("1")];
  });
  after(async () => {
    await venue.close();
    rmSync(folder, { recursive: true });
  });

  const state = () =>
    ask<{ state: string; time: number | null; lowestNonce: string }>(venue, ["dead-man", "show"], at());
  const at = () => ({ as: alice });
  const now = async () => (await venue.anvil.provider.getBlock("latest"))!.timestamp;

  async function pass(seconds: number): Promise<void> {
    await venue.anvil.provider.send("evm_increaseTime", [seconds]);
    await venue.anvil.provider.send("evm_mine", []);
  }

  it("REV-3 is set, renewed and shown; orders live only as long, and a lapse ends them for ever", async () => {
    expect(await state()).to.deep.include({ state: "off", time: null });
    await fails(venue, ["dead-man", "renew", "10m", "--yes"], "DeadManNotLive", 3, at());
    await fails(venue, ["dead-man", "clear", "--yes"], "DeadManNotLive", 3, at());
    await ask(venue, ["dead-man", "set", "10m"], at());
    const first = await state();
    expect(first).to.deep.include({ state: "live", lowestNonce: "0" });
    expect(first.time! - (await now())).to.be.within(590, 600);
    await pass(300);
    await ask(venue, ["dead-man", "renew", "10m"], at());
    expect((await state()).time! - first.time!).to.be.within(300, 320);
    expect(await tell(venue, ["dead-man", "show", "--owner", alice.wallet.address])).to.match(
      /state +live: orders are void after 20\d\d-/,
    );

    const order = ["order", "place", "sell", "1", "0", "--price", "2000", "--out"];
    await ask(venue, [...order, files[0]!], at());
    await ask(venue, ["order", "place", "buy", "1", "0", "--price", "2000", "--immediate", "--out", files[1]!], {
      as: key,
    });
    await pass(700);
    expect((await state()).state).to.equal("lapsed");
    const told = await fails(venue, ["order", "settle", ...files, "--yes"], "OwnerSilent", 3, at());
    expect(told.fields).to.include({ owner: alice.wallet.address });
    expect((await fails(venue, ["dead-man", "renew", "10m", "--yes"], "DeadManNotLive", 3, at())).fields).to.include({
      state: "lapsed",
    });
    await ask(venue, ["dead-man", "set", "10m"], at());
    expect(await state()).to.include({ state: "live" });
    await fails(venue, ["order", "settle", ...files, "--yes"], "OrderNonceTooLow", 3, at());
  });

  it("AUTH-2 a key that trades renews it and cannot clear it; the owner does, and cancels below a nonce with it", async () => {
    const owner = ["--owner", alice.wallet.address];
    const name = ["key", "grant", key.wallet.address, "--scopes", "trade"];
    await ask(venue, name, at());
    await ask(venue, ["dead-man", "renew", "1h", ...owner], { as: key });
    expect((await state()).time! - (await now())).to.be.within(3590, 3600);
    await fails(venue, ["dead-man", "clear", "--yes", ...owner], "DeadManInvalid", 3, { as: key });
    await fails(
      venue,
      ["dead-man", "set", "1h", "--below", (2n ** 63n).toString(), "--yes", ...owner],
      "KeyLacksScope",
      3,
      {
        as: key,
      },
    );
    await ask(venue, ["dead-man", "set", "1h", "--below", (2n ** 63n).toString()], at());
    expect((await state()).lowestNonce).to.equal((2n ** 63n).toString());
    await ask(venue, ["dead-man", "clear"], at());
    expect((await state()).state).to.equal("off");
  });

  it("wrong input ends with 2 and a typed error", async () => {
    await fails(venue, ["dead-man", "set", "soon", "--yes"], "InvalidValue", 2, at());
    await fails(venue, ["dead-man", "set", "1h", "--below", "-1", "--yes"], "InvalidValue", 2, at());
    await fails(venue, ["dead-man", "set", "1h"], "ConfirmationRequired", 2, at());
    await fails(venue, ["dead-man", "show"], "NoKey", 2);
  });
});
