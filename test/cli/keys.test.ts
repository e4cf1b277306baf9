import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect } from "chai";
import { Wallet } from "ethers";

import { parseWad } from "../../src/sdk/units.ts";
import { Venue } from "../matcher/venue.ts";
import type { Trader } from "../matcher/venue.ts";
import { ask, fails, tell, type } from "./support.ts";

const PASSWORD = "correct horse";

interface Key {
  readonly key: string;
  readonly live: boolean;
  readonly rights: Record<string, unknown>;
  readonly notionalLeft: string | null;
  readonly lossLeft: string | null;
  readonly lastUse: { block: number; time: number } | null;
}

describe("plimsoll key, intent", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "plimsoll-keys-"));
  let venue: Venue;
  let [alice, bob]: Trader[] = [];
  let key: Trader;

  before(async () => {
    venue = await Venue.open();
    [alice, bob] = [await venue.trader("100000"), await venue.trader("10000")];
    key = await venue.trader("1");
  });
  after(async () => {
    await venue.close();
    rmSync(folder, { recursive: true });
  });

  const file = (name: string) => path.join(folder, name);
  const keysOf = async ({ wallet }: Trader, ...more: string[]) =>
    (await ask<{ keys: Key[] }>(venue, ["key", "list", "--owner", wallet.address, ...more])).keys;

  it("AUTH-7 makes a keystore that only its owner reads, and opens it with a password from either place", async () => {
    const store = file("key.json");
    const env = { PLIMSOLL_PASSWORD: PASSWORD };
    const { address } = await ask<{ address: string }>(venue, ["key", "new", store], { env });
    expect(statSync(store).mode & 0o777).to.equal(0o600);
    await fails(venue, ["key", "new", store], "FileUnusable", 2, { env });
    await fails(venue, ["key", "new", file("x"), "--yes"], "InvalidValue", 2, { env: { PLIMSOLL_PASSWORD: "short" } });

    // Nothing is decrypted to read; to sign, the password is asked for without an echo.
    expect(await ask(venue, ["account", "list", "--keystore", store])).to.deep.include({ owner: address });
    await venue.fundGas(address);
    const opened = await type(venue, ["intent", "void", "1", "--keystore", store], { answers: [PASSWORD] });
    expect(opened.code, opened.err).to.equal(0);
    expect(opened.asked).to.deep.equal([`password of ${store}: `]);
    const wrong = { env: { PLIMSOLL_PASSWORD: "wrong password" } };
    const refused = await type(venue, ["intent", "void", "2", "--keystore", store], wrong);
    expect(refused).to.deep.include({
      code: 2,
      err: `KeystoreUnusable: ${store} cannot be used as a keystore: the password is wrong\n`,
    });
    await fails(venue, ["intent", "void", "2", "--keystore", venue.bookFile], "KeystoreUnusable", 2, { env });
    await fails(venue, ["intent", "void", "2"], "InvalidSettings", 2, { env: { PRIVATE_KEY: "0x12" } });
    const printed = await type(venue, ["intent", "void", "2", "--json"], { env: { PRIVATE_KEY: "0xsecret" } });
    expect(printed.err).to.not.include("secret");
  });

  it("AUTH-8 grants in words, lists living keys with effective rights and last use", async () => {
    const line = ["key", "grant", key.wallet.address, "--scopes", "trade,cancel,withdraw", "--markets", "ETH-PERP"];
    const limits = ["--daily-notional", "50000", "--loss-limit", "100", "--lifetime", "7d", "--price-band", "0.3%"];
    const shown = await type(venue, [...line, ...limits], { as: bob!, answers: ["y"] });
    expect(shown.code, shown.err).to.equal(0);
    const words = [/may +trade, cancel, withdraw/, /markets +ETH-PERP/, /accounts +0 \(main\)/, /loss limit +100 USD/];
    for (const said of [...words, /daily notional +50,000 USD/, /price band +0\.3 % of the index/]) {
      expect(shown.err).to.match(said);
    }
    expect((await keysOf(bob!))[0]).to.include({ key: key.wallet.address, live: true, lastUse: null });

    // The key signs an order for Bob's account: 1 ETH at 2,000, a fee of 5 bp = 1.
    const [sell, buy] = [file("sell.json"), file("buy.json")];
    const order = (side: string, out: string) => ["order", "place", side, "1", "0", "--price", "2000", "--out", out];
    await ask(venue, order("sell", sell), { as: alice! });
    await ask(venue, [...order("buy", buy), "--immediate", "--owner", bob!.wallet.address], { as: key });
    await ask(venue, ["order", "settle", sell, buy], { as: alice! });
    expect((await bob!.house.clearingHouse.position(bob!.account, 0)).size).to.equal(parseWad("1"));
    const [used] = await keysOf(bob!);
    expect(used).to.include({ notionalLeft: "48000", lossLeft: "99" });
    expect(used!.rights).to.deep.include({ scopes: ["trade", "cancel", "withdraw"], markets: ["ETH-PERP"] });
    const { timestamp } = (await venue.anvil.provider.getBlock("latest"))!;
    expect(used!.lastUse!.time).to.equal(timestamp);
    const owner = ["--owner", bob!.wallet.address];
    expect(await tell(venue, ["key", "list", ...owner])).to.match(
      /trade cancel withdraw .* 48,000\.00 \/ 99\.00 +\d{4}-/,
    );
    expect(await tell(venue, ["key", "show", key.wallet.address, ...owner])).to.match(/left to lose +99\.00/);
  });

  it("AUTH-8 tells in USD what an order would take of a key's limits, and what is left", async () => {
    const beyond = async (size: string, price: string, error: string) => {
      const [sell, buy] = [file(`sell${price}.json`), file(`buy${price}.json`)];
      const order = (side: string, out: string) => ["order", "place", side, size, "0", "--price", price, "--out", out];
      await ask(venue, order("sell", sell), { as: alice! });
      await ask(venue, [...order("buy", buy), "--immediate", "--owner", bob!.wallet.address], { as: key });
      return fails(venue, ["order", "settle", sell, buy, "--yes"], error, 3, { as: alice! });
    };
    const notional = await beyond("24.01", "2000", "KeyNotionalLimit");
    expect(notional.fields).to.include({ key: key.wallet.address, notional: "48020", left: "48000" });
    // 20 at 5 above the index, and a fee of 5 in 10,000 of 40,100
    const loss = await beyond("20", "2005", "KeyLossLimit");
    expect(loss.fields).to.include({ key: key.wallet.address, loss: "120.05", left: "99" });
  });

  it("AUTH-8 a key acts for its owner within its scopes only", async () => {
    const owner = ["--owner", bob!.wallet.address, "--yes"];
    const before = await bob!.house.health(bob!.account);
    await ask(venue, ["withdraw", "25", ...owner], { as: key });
    const after = await bob!.house.health(bob!.account);
    expect(before.equity - after.equity).to.equal(parseWad("25"));
    expect((await keysOf(bob!))[0]!.lastUse!.block).to.equal(await venue.anvil.provider.getBlockNumber());
    await fails(venue, ["lend", "25", ...owner], "KeyLacksScope", 3, { as: key });
    await fails(venue, ["withdraw", "25", "--to", key.wallet.address, ...owner], "KeyWithdrawsToOwner", 3, { as: key });
    await fails(venue, ["withdraw", "25", ...owner], "InvalidIntent", 3, { as: alice! });
  });

  it("AUTH-7 rotates, pre-signs the end of a key, and anybody brings it", async () => {
    const fresh = Wallet.createRandom().address;
    await ask(venue, ["key", "rotate", key.wallet.address, fresh, "--lifetime", "7d"], { as: bob! });
    const [only, ...others] = await keysOf(bob!);
    expect(others).to.deep.equal([]);
    expect(only).to.include({ key: fresh, notionalLeft: "50000" });
    expect(await keysOf(bob!, "--dead")).to.have.length(2);

    const paper = file("revoke.json");
    await ask(venue, ["key", "revoke", fresh, "--sign", paper], { as: bob! });
    expect(await keysOf(bob!)).to.have.length(1);
    expect(await tell(venue, ["key", "submit", paper], { as: alice! })).to.match(/the end of the key/);
    expect(await keysOf(bob!)).to.deep.equal([]);
    await fails(venue, ["key", "submit", paper], "InvalidAuthorisation", 3, { as: alice! });

    await fails(venue, ["key", "grant", fresh, "--scopes", "cancel", "--yes"], "KeyIsRevoked", 3, { as: bob! });
    const next = Wallet.createRandom().address;
    const grant = file("grant.json");
    await ask(venue, ["key", "grant", next, "--scopes", "cancel", "--sign", grant], { as: bob! });
    await ask(venue, ["key", "submit", grant], { as: alice! });
    expect(await keysOf(bob!)).to.have.length(1);
    const all = file("all.json");
    await ask(venue, ["key", "revoke-all", "--sign", all], { as: bob! });
    await ask(venue, ["key", "submit", all], { as: alice! });
    expect(await keysOf(bob!)).to.deep.equal([]);
    const ended = (await keysOf(bob!, "--dead")).find((known) => known.key === next);
    expect(ended).to.deep.include({ live: false, notionalLeft: "0", lossLeft: "0" });
    expect(ended!.rights).to.deep.include({ scopes: ["cancel"] });
    await ask(venue, ["key", "revoke-all"], { as: bob! });
    expect((await bob!.house.exchange.ownerState(bob!.wallet.address)).epoch).to.equal(2n);
  });

  it("REV-7 history tells what was granted and revoked, by whom and in which transaction", async () => {
    const { owner, entries } = await ask<{ owner: string; entries: Record<string, unknown>[] }>(
      venue,
      ["key", "history"],
      { as: bob! },
    );
    expect(owner).to.equal(bob!.wallet.address);
    const [fresh, next] = [entries[2]!.key, entries[4]!.key];
    expect(entries.map(({ what, key: of, by }) => ({ what, of, by }))).to.deep.equal([
      { what: "granted", of: key.wallet.address, by: owner },
      { what: "revoked", of: key.wallet.address, by: owner },
      { what: "granted", of: fresh, by: owner },
      { what: "revoked", of: fresh, by: alice!.wallet.address },
      { what: "granted", of: next, by: owner },
      { what: "all revoked", of: null, by: null },
      { what: "all revoked", of: null, by: null },
    ]);
    const receipt = await venue.anvil.provider.getTransactionReceipt(String(entries[3]!.transaction));
    expect(receipt).to.include({ status: 1, blockNumber: entries[3]!.block });
    const told = await tell(venue, ["key", "history", "--owner", owner]);
    expect(told)
      .to.match(/ granted +0x\w{40} +the owner +0x/)
      .and.match(/ all revoked +0x/);
    const stranger = await tell(venue, ["key", "history", "--owner", Wallet.createRandom().address]);
    expect(stranger).to.match(/^Nothing was ever granted or revoked for 0x/);
  });

  it("AUTH-8 shows a key below a key with what both still allow", async () => {
    const child = Wallet.createRandom().address;
    const owner = ["--owner", bob!.wallet.address];
    const grant = (to: string, scopes: string, notional: string, loss: string) => [
      "key",
      "grant",
      to,
      "--scopes",
      scopes,
      "--daily-notional",
      notional,
      "--loss-limit",
      loss,
    ];
    await ask(venue, grant(key.wallet.address, "trade,grant", "900", "70"), { as: bob! });
    const tooWide = [...grant(child, "trade,cancel", "800", "70"), ...owner, "--yes"];
    await fails(venue, tooWide, "GrantTooWide", 3, { as: key });
    await ask(venue, [...grant(child, "trade", "800", "70"), "--lifetime", "1h", ...owner], { as: key });
    const shown = await ask<Key & { parent: string }>(venue, ["key", "show", child, ...owner]);
    expect(shown).to.include({ parent: key.wallet.address, notionalLeft: "800", lossLeft: "70", live: true });
    await ask(venue, ["key", "revoke", key.wallet.address], { as: bob! });
    expect(await keysOf(bob!)).to.deep.equal([]);
  });

  it("wrong input of key ends with a typed error", async () => {
    const grant = ["key", "grant", key.wallet.address];
    await fails(venue, grant, "InvalidCommandLine", 2, { as: bob! });
    await fails(venue, [...grant, "--scopes", "fly"], "InvalidValue", 2, { as: bob! });
    await fails(venue, [...grant, "--scopes", "trade", "--accounts", "32"], "InvalidGrant", 2, { as: bob! });
    await fails(venue, ["key", "grant", "me", "--scopes", "trade"], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["key", "show", alice!.wallet.address], "UnknownSessionKey", 3, { as: bob! });
    await fails(venue, ["key", "revoke", alice!.wallet.address], "UnknownKey", 3, { as: bob! });
    const other = ["key", "grant", Wallet.createRandom().address];
    await fails(venue, [...other, "--scopes", "trade"], "ConfirmationRequired", 2, { as: bob! });
    await fails(venue, ["key", "revoke-all"], "ConfirmationRequired", 2, { as: bob! });
  });

  it("AUTH-8 intents are signed in words into a file that anybody may bring, once", async () => {
    const paper = file("withdraw.json");
    const shown = await type(venue, ["intent", "withdraw", "40", "--out", paper], { as: bob!, answers: ["y"] });
    expect(shown.err)
      .to.match(/withdraw +40 USDC/)
      .and.match(new RegExp(`to +${bob!.wallet.address}`));
    expect(await tell(venue, ["intent", "show", paper])).to.match(/used or voided +no/);
    const before = await bob!.house.health(bob!.account);
    await ask(venue, ["intent", "relay", paper], { as: alice! });
    expect(before.equity - (await bob!.house.health(bob!.account)).equity).to.equal(parseWad("40"));
    expect(await ask(venue, ["intent", "show", paper])).to.include({ used: true });
    await fails(venue, ["intent", "relay", paper, "--yes"], "IntentUsedBefore", 3, { as: alice! });

    for (const [name, ...line] of [
      ["lend", "100"],
      ["recall", "30"],
      ["transfer", "50", "--to", "3"],
      ["deposit", "5"],
    ]) {
      const out = file(`${name!}.json`);
      await ask(venue, ["intent", name!, ...line, "--out", out], { as: bob! });
      // The venue's traders have approved no more than they have deposited.
      if (name !== "deposit") await ask(venue, ["intent", "relay", out], { as: alice! });
    }
    expect((await bob!.house.loans(bob!.account)).lent).to.equal(parseWad("70"));
  });

  it("wrong input of intent ends with a typed error", async () => {
    await fails(venue, ["intent", "withdraw", "40"], "InvalidCommandLine", 2, { as: bob! });
    await fails(venue, ["intent", "lend", "0", "--out", file("y")], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["intent", "relay", file("missing")], "FileUnusable", 2, { as: bob! });
    await fails(venue, ["intent", "void", "x"], "InvalidValue", 2, { as: bob! });
    await fails(venue, ["intent", "lend", "1", "--out", file("y")], "ConfirmationRequired", 2, { as: bob! });
  });
});
