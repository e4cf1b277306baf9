import { expect } from "chai";

import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";
import { ask, fails, tell } from "./support.ts";

describe("plimsoll guard, account exit, track and cap", () => {
  let venue: Venue;
  let alice: Trader;
  let guardian: Trader;
  let cold: Trader;

  before(async () => {
    venue = await Venue.open();
    [alice, guardian, cold] = [await venue.trader("1000"), await venue.trader("1"), await venue.trader("1")];
  });
  after(() => venue.close());

  it("MAS-5 AUTH-5 sets a guard, shows it, pays payees only, locks down as the guardian and unlocks", async () => {
    const as = alice;
    const [owner, payee] = [alice.wallet.address, cold.wallet.address];
    await ask(venue, ["guard", "allow", payee], { as });
    const terms = ["--guardian", guardian.wallet.address, "--delay", "1h", "--restricted"];
    await ask(venue, ["guard", "set", ...terms], { as });
    const shown = await ask(venue, ["guard", "show"], { as });
    expect(shown).to.deep.include({
      ...{ owner, guardian: guardian.wallet.address, delay: 3_600, restricted: true },
      ...{ lockedSince: null, unlockFrom: null, pending: null },
    });
    expect(shown.payees).to.have.lengthOf(1);
    expect(await tell(venue, ["guard", "show", "--owner", owner]))
      .to.match(/payees only/)
      .and.to.include(payee);

    const told = await fails(venue, ["withdraw", "1", "--yes"], "PayeeNotAllowed", 3, { as });
    expect(told.fields).to.include({ owner, payee: owner });
    await ask(venue, ["withdraw", "1", "--to", payee], { as });
    await ask(venue, ["guard", "set", "--delay", "1h"], { as }); // loosens: waits
    expect((await ask(venue, ["guard", "show"], { as })).pending).to.deep.include({
      guardian: null,
      restricted: false,
    });
    expect(await tell(venue, ["guard", "show"], { as })).to.match(
      /loosens +from 20\d\d-\S+ \S+ UTC: guardian nobody, delay 3600 s, withdrawals to any address\n/,
    );

    await ask(venue, ["guard", "lock", "--owner", owner], { as: guardian });
    expect((await ask(venue, ["guard", "show"], { as })).lockedSince).to.be.a("number");
    await fails(venue, ["lend", "1", "--yes"], "LockedDown", 3, { as });
    await fails(venue, ["guard", "allow", owner, "--yes"], "LockedDown", 3, { as });
    await fails(venue, ["guard", "unlock", "--owner", owner, "--yes"], "NotGuardian", 3, { as: cold });
    await ask(venue, ["withdraw", "all", "--to", payee], { as });
    await ask(venue, ["guard", "unlock", "--owner", owner], { as: guardian });
    await ask(venue, ["guard", "remove", payee], { as });
    expect(await tell(venue, ["guard", "show"], { as })).to.include("No payees.");
  });

  it("MAS-5 refuses what is wrong before it asks", async () => {
    const as = alice;
    await fails(venue, ["guard", "set", "--delay", "31d", "--yes"], "ParameterOutOfBounds", 3, { as });
    await fails(venue, ["guard", "set", "--delay", "soon", "--yes"], "InvalidValue", 2, { as });
    await fails(venue, ["guard", "allow", "nobody", "--yes"], "InvalidValue", 2, { as });
    await fails(venue, ["guard", "unlock", "--yes"], "NotLockedDown", 3, { as });
    await fails(venue, ["account", "track", "maybe", "--yes"], "InvalidValue", 2, { as });
    await fails(venue, ["account", "cap", "DOGE", "1", "--yes"], "InvalidValue", 2, { as });
    await fails(venue, ["account", "cap", "ETH", "much", "--yes"], "InvalidAmount", 2, { as });
  });

  it("CRE-1 caps what an account may open of an underlying, shows it and lifts it", async () => {
    const as = alice;
    const account = "main";
    const show = () => ask(venue, ["account", "cap", "ETH"], { as });
    expect(await show()).to.deep.include({ account, underlying: "ETH", held: "0", cap: null });
    await ask(venue, ["account", "cap", "eth", "2.5"], { as });
    expect(await show()).to.deep.include({ held: "0", cap: "2.5" });
    expect(await tell(venue, ["account", "cap", "ETH"], { as })).to.include("main holds 0 ETH; cap: 2.5.");
    await ask(venue, ["account", "cap", "ETH", "none"], { as });
    expect(await tell(venue, ["account", "cap", "ETH"], { as })).to.include("cap: none.");
  });

  it("FSA-5 announces an exit, and counts flows for keys with a floor", async () => {
    const as = guardian;
    const exit = await ask<{ cash: string; from: number; until: number }>(venue, ["account", "exit"], { as });
    expect(exit.cash).to.equal("1");
    expect(exit.until - exit.from).to.equal(86_400);
    await ask(venue, ["account", "track", "on"], { as });
    const key = cold.wallet.address;
    await ask(venue, ["key", "grant", key, "--scopes", "trade", "--equity-floor", "5"], { as });
    expect(await tell(venue, ["key", "show", key], { as })).to.match(/equity floor +5/);
  });
});
