import type { Command } from "commander";

import type { Drill, DrilledAccount, Progress } from "../../drill/drill.ts";
import { VERDICTS } from "../../drill/observer.ts";
import type { Sighting, Verdict } from "../../drill/observer.ts";
import { parseKeeperConfig } from "../../keeper/config.ts";
import type { PathOptions } from "../../replay/demo.ts";
import { ASSETS } from "../../replay/path.ts";
import { ownerOf } from "../../sdk/accountId.ts";
import type { AddressBook } from "../../sdk/addressBook.ts";
import { parseWad } from "../../sdk/units.ts";
import { DrillFailed, OptionConflict } from "../errors.ts";
import { decimal, percent, shortAddress, usd } from "../format.ts";
import { accountName } from "../names.ts";
import { facts, paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import { Session } from "../session.ts";

const WAD = 10n ** 18n;
const SYNTHETIC = { drop: "30", minutes: "120" }; // steep, but a keeper that works comes through without bad debt
const PROGRESS_STEPS = 20; // words on how far it has come

const NOTE = `
Starts a chain with a house full of leveraged accounts, or forks a live one (--fork, with its --address-book), lets a
keeper of its own loose on it, with the settings of yours from the environment (MIN_PROFIT, MAX_SPEND, FLAG_INTERVAL,
BACKUP_BLOCKS, … as for npm run keeper), and makes every feed crash. Nothing leaves this machine, and no key is needed.

An observer apart from the keeper reads the chain at every block and says of each account that sank below MM:
  on time       every slice was taken within --allow-late blocks of becoming profitable
  late          a slice was taken, but later
  missed        a slice would have paid, and nobody took it
  unprofitable  taking never paid, or was done at a loss
  recovered     it was above MM again before anybody could take
  bad debt      it ended below zero: the fund, lenders or the other side had to pay
The exit code is 1 if anything was missed or late, or left bad debt.`;

interface DrillCommandOptions extends Omit<PathOptions, "seed"> {
  readonly fork?: string;
  readonly seed?: string;
  readonly capital: string;
  readonly worth: string;
  readonly allowLate: string;
  readonly pace: string;
}

export function drillCommands(program: Command, perform: Perform): void {
  program
    .command("drill")
    .description("crash prices on a chain of one's own, or on a fork, and see what a keeper misses")
    .option("--fork <url>", "node of a live chain to fork; a chain with a population of its own if left out")
    .option("--drop <percent>", "by how much ETH falls, BTC by three quarters of that (30)")
    .option("--minutes <number>", "length of the crash (120), or how much of the candles to play")
    .option("--seed <number>", "another number makes another crash (1)")
    .option("--prices <files>", "minute candles instead: ETH-USD….csv, BTC-USD….csv or both with a comma")
    .option("--capital <usd>", "what the keeper has to take slices with", "8000000")
    .option("--worth <usd>", "profit after gas and inventory risk from which taking pays", "1")
    .option("--allow-late <blocks>", "blocks that may pass from profitable to taken", "1")
    .option("--pace <ms>", "time that the keeper has in each block to send for all that pays", "3000")
    .addHelpText("after", NOTE)
    .action(perform(runDrill));
}

async function runDrill(session: Session, options: DrillCommandOptions): Promise<Report> {
  const { fork, prices, seed } = options;
  if (prices !== undefined && seed !== undefined) {
    throw new OptionConflict("--seed is of a synthetic crash: leave it out, or --prices");
  }
  // The chain, Hardhat and the keeper are only loaded by who needs them.
  const [{ drill }, { choosePath, integer }] = await Promise.all([
    import("../../drill/drill.ts"),
    import("../../replay/demo.ts"),
  ]);
  const path = choosePath({ ...(prices === undefined && SYNTHETIC), ...options, seed: seed ?? "1" });
  const allowLate = integer("allow-late", options.allowLate, 1);
  const given = {
    ...{ path, allowLate, pace: integer("pace", options.pace, 1) },
    ...{ capital: parseWad(options.capital), worth: parseWad(options.worth) },
    config: parseKeeperConfig(session.shell.env),
  };
  const house = fork === undefined ? {} : { fork: { url: fork, book: await reach(session, fork) } };
  const found = await drill({ ...given, ...house }, progressOf(session));
  const [text, data, faults] = [describe(found, allowLate), toJson(found), faultsOf(found)];
  if (faults.length === 0) return { data, text: paragraphs(text, "Passed.") };
  if (session.options.json !== true) session.shell.err(`${text}\n\n`);
  throw new DrillFailed(faults, data);
}

/** Makes sure that the house is where it is looked for. @throws NodeUnreachable, WrongChain, InvalidAddressBook */
async function reach({ shell, options }: Session, rpcUrl: string): Promise<AddressBook> {
  const live = new Session(shell, { ...options, rpcUrl });
  try {
    await live.house();
    return live.book;
  } finally {
    live.close();
  }
}

/** Tells people how far it has come; machines are told nothing. */
function progressOf({ shell, options }: Session): Progress {
  const share = (minute: number, minutes: number) => Math.floor((minute * PROGRESS_STEPS) / minutes);
  if (options.json !== true) shell.err("preparing the chain …\n");
  return (minute, minutes, below, waiting) => {
    if (options.json === true || share(minute, minutes) === share(minute - 1, minutes)) return;
    shell.err(
      `minute ${minute} of ${minutes}: ${below} accounts below MM, ${waiting} of them wait though taking pays\n`,
    );
  };
}

// ---------------------------------------------------------------- what was found

function count({ accounts }: Drill, verdict: Verdict): number {
  return accounts.filter(({ verdicts }) => verdicts.includes(verdict)).length;
}

function deficitOf({ accounts }: Drill): bigint {
  return accounts.reduce((sum, { deficit }) => sum + deficit, 0n);
}

function faultsOf(found: Drill): string[] {
  const faults = (["missed", "late"] as const)
    .map((verdict) => [count(found, verdict), verdict] as const)
    .filter(([accounts]) => accounts !== 0)
    .map(([accounts, verdict]) => `${accounts} ${verdict}`);
  const deficit = deficitOf(found);
  return deficit === 0n ? faults : [...faults, `${usd(deficit)} USD of bad debt`];
}

function nameOf({ id, name }: DrilledAccount, { book }: Drill): string {
  return name ?? `${accountName(id, book)} of ${shortAddress(ownerOf(id))}`;
}

function describe(found: Drill, allowLate: number): string {
  const { accounts, path } = found;
  return paragraphs(
    `Fire drill: ${path.source}, ${path.times.length} minutes, blocks ${found.from} to ${found.to}; ${fallOf(found)}`,
    accounts.length === 0 ? "Nobody sank below MM: let prices fall further." : accountTable(found),
    reasonsOf(found),
    facts([
      ["accounts below MM", accounts.length.toString()],
      [
        `all slices within ${allowLate === 1 ? "one block" : `${allowLate} blocks`}`,
        count(found, "on time").toString(),
      ],
      ...VERDICTS.filter((verdict) => verdict !== "on time" && verdict !== "bad debt").map(
        (verdict): [string, string] => [verdict, count(found, verdict).toString()],
      ),
      ["bad debt", `${count(found, "bad debt")}, ${usd(deficitOf(found))} USD`],
      ...keeperFacts(found),
    ]),
  );
}

/** The lowest price of each asset against its first. */
function fallOf({ path }: Drill): string {
  const falls = ASSETS.map((asset) => {
    const prices = path.prices[asset];
    const low = prices.reduce((least, price) => (price < least ? price : least));
    const first = prices[0] ?? low;
    return `${asset} falls by ${percent((((first - low) * 1000n) / first) * (WAD / 1000n))}`;
  });
  return falls.join(", ");
}

function accountTable(found: Drill): string {
  const worst = ({ verdicts }: Sighting) => Math.min(...verdicts.map((verdict) => VERDICTS.indexOf(verdict)));
  const rows = [...found.accounts].sort((a, b) => worst(a) - worst(b));
  return table(
    ["account", "result", ">below MM", ">blocks", ">slices", ">slowest", ">gained", ">gas", ">missed", ">bad debt"],
    rows.map((account) => [
      nameOf(account, found),
      account.verdicts.join(", "),
      `block ${account.since}`,
      account.looks.toString(),
      account.takes.length.toString(),
      account.takes.length === 0 ? "–" : Math.max(...account.takes.map(({ delay }) => delay)).toString(),
      usd(account.takes.reduce((sum, { gain }) => sum + gain, 0n)),
      usd(account.takes.reduce((sum, { gas }) => sum + gas, 0n)),
      usd(account.misses.reduce((sum, { profit }) => sum + profit, 0n)),
      usd(account.deficit),
    ]),
  );
}

/** What the keeper said last of those that were not simply taken on time. */
function reasonsOf(found: Drill): string {
  const reasons = found.accounts
    .filter(({ verdicts }) => verdicts[0] !== "on time")
    .flatMap((account): [string, string][] =>
      account.reason === undefined ? [] : [[nameOf(account, found), account.reason]],
    );
  return reasons.length === 0 ? "" : `What the keeper said of them last\n${facts(reasons)}`;
}

function keeperFacts({ keeper }: Drill): [string, string][] {
  return [
    ["slices the keeper took", keeper.takes.toString()],
    ["which brought it", `${usd(keeper.gains)} USD`],
    ["all its gas cost", `${usd(keeper.gas)} USD`],
    ["calls that came too late", keeper.racesLost.toString()],
    ["its equity", `${usd(keeper.equityBefore)} before, ${usd(keeper.equityAfter)} after: it holds what it took`],
  ];
}

function toJson(found: Drill) {
  const { keeper, path, from, to } = found;
  return {
    ...{ source: path.source, minutes: path.times.length, from, to },
    counts: Object.fromEntries(VERDICTS.map((verdict) => [verdict, count(found, verdict)])),
    badDebt: decimal(deficitOf(found)),
    accounts: found.accounts.map((account) => accountJson(account, found)),
    keeper: {
      ...{ account: keeper.account, takes: keeper.takes, racesLost: keeper.racesLost },
      ...{ gains: decimal(keeper.gains), gas: decimal(keeper.gas) },
      ...{ equityBefore: decimal(keeper.equityBefore), equityAfter: decimal(keeper.equityAfter) },
    },
  };
}

function accountJson(account: DrilledAccount, found: Drill): object {
  const { id, verdicts, since, looks, takes, misses, deficit, reason } = account;
  return {
    ...{ account: nameOf(account, found), id, verdicts, since, blocks: looks, deficit: decimal(deficit) },
    takes: takes.map(({ gain, gas, ...take }) => ({ ...take, gain: decimal(gain), gas: decimal(gas) })),
    misses: misses.map(({ profit, looks: blocks, ...miss }) => ({ ...miss, blocks, profit: decimal(profit) })),
    ...(reason !== undefined && { reason }),
  };
}
