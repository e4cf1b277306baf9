import { assessAccount } from "../risk/account.ts";
import type { Assessment, LendingState } from "../risk/types.ts";
import { Observer, YARDSTICK } from "../drill/observer.ts";
import type { Sighting } from "../drill/observer.ts";
import { accountId } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import { cast, KINDS } from "./cast.ts";
import type { Kind } from "./cast.ts";
import { startChain } from "./chain.ts";
import { readChronicle, tollOf } from "./chronicle.ts";
import type { Chronicle, Toll } from "./chronicle.ts";
import { checkInvariants, readBooks } from "./invariants.ts";
import type { Finding, Books } from "./invariants.ts";
import { NoKeeper } from "./errors.ts";
import { MIN_PROFIT, startKeeper } from "./keeper.ts";
import type { Watch } from "./keeper.ts";
import { hedge, pair } from "./opening.ts";
import { ASSETS, hold } from "./path.ts";
import type { Asset, PricePath } from "./path.ts";
import { borrow, deployVenue, enlist, lend, open, refreshRates, seedFund, settle, updateFeeds } from "./venue.ts";
import type { Answers, Party, Venue } from "./venue.ts";

const PPM = 10n ** 6n;
const SETUP = 3600; // [s] before the first minute at which the chain begins
const KEYS = 72;
const AFTERMATH = 5; // minutes at the last prices, in which running auctions end
const HEDGE_EVERY = 10; // minutes after which the keeper hands what it took on to market makers
const REFRESH_EVERY = 720; // minutes after which rates get a new round

/** How one account fared. Amounts are [wad]. */
export interface Fate extends Toll {
  id: AccountId;
  name: string;
  kind: Kind;
  start: bigint; // equity when everything was traded
  end: bigint;
  final: Assessment;
}

/** Equity and maintenance margin of an account by minute [wad]; after the keeper has acted. */
export interface Track {
  fate: Fate;
  equity: bigint[];
  maintenance: bigint[];
}

/** Everything that a replay has to report. Amounts are [wad]. */
export interface Replay {
  path: PricePath;
  fates: Fate[];
  tracks: Track[]; // one of each kind that trades
  fund: bigint[]; // cash of the insurance fund by minute
  regime: Readonly<Record<Asset, number[]>>; // factor of the maintenance requirement by minute
  lending: LendingState; // at the end
  fundStart: bigint;
  fundEnd: bigint;
  badDebt: bigint; // still recorded at the end
  openFees: bigint; // not swept
  sightings: Sighting[]; // accounts that were below MM
  chronicle: Chronicle;
  findings: Finding[];
  blocks: number;
}

/** Told how far a replay is. */
export type Progress = (minute: number, minutes: number) => void;

/**
 * Runs a price path through the real contracts on a chain of its own: deploys, opens accounts of all kinds, lets them trade with each
 * other, then moves the feeds minute by minute while a keeper works.
 * @throws ChainNotStarted, TransactionFailed
 */
export async function replay(prices: PricePath, progress: Progress): Promise<Replay> {
  const path = hold(prices, AFTERMATH);
  const { venue, parties } = await openHouse(path);
  try {
    return await run(venue, parties, path, progress);
  } finally {
    await venue.chain.close();
  }
}

/**
 * A house on a chain of its own, with accounts of all kinds that have traded with each other at the first prices of a path.
 * @throws ChainNotStarted, TransactionFailed
 */
export async function openHouse(path: PricePath): Promise<{ venue: Venue; parties: Party[] }> {
  const chain = await startChain((path.times[0] ?? 0) - SETUP, KEYS);
  try {
    const venue = await deployVenue(chain, answersAt(path, 0));
    return { venue, parties: await openMarket(venue, path) };
  } catch (error) {
    await chain.close();
    throw error;
  }
}

async function openMarket(venue: Venue, path: PricePath): Promise<Party[]> {
  const answers = answersAt(path, 0);
  const parties = enlist(cast(), venue.book);
  await seedFund(venue);
  for (const party of parties) await open(venue, party, answers);
  for (const party of parties) if (party.lent !== 0) await lend(venue, party);
  for (const party of parties) if (party.borrowed !== 0) await borrow(venue, party);
  await settle(venue, pair(parties, answers), path.times[0] ?? 0);
  return parties;
}

/** What was seen minute by minute, each time after the keeper had acted. Amounts are [wad]. */
interface Seen {
  fundStart: bigint;
  fund: bigint[];
  regime: Readonly<Record<Asset, number[]>>;
  sightings: Sighting[];
  accounts: ReadonlyMap<AccountId, { equity: bigint[]; maintenance: bigint[] }>;
}

async function run(venue: Venue, parties: readonly Party[], path: PricePath, progress: Progress): Promise<Replay> {
  const seen = await live(venue, parties, path, progress);
  const chronicle = await readChronicle(venue);
  const books = await readBooks(venue, chronicle.accounts);
  const findings = await checkInvariants(venue, books, chronicle);
  const fates = parties.map((party) => fateOf(party, seen.accounts.get(party.id)?.equity[0] ?? 0n, books, chronicle));
  return {
    path,
    fates,
    tracks: chooseTracks(fates, seen),
    fund: seen.fund,
    regime: seen.regime,
    lending: books.house.lending,
    fundStart: seen.fundStart,
    fundEnd: seen.fund.at(-1) ?? seen.fundStart,
    sightings: seen.sightings,
    badDebt: books.markets.reduce((sum, m) => sum + m.badDebt, 0n),
    openFees: books.markets.reduce((sum, m) => sum + m.fees, 0n),
    chronicle,
    findings,
    blocks: books.block,
  };
}

/** Moves the feeds minute by minute; in each the keeper acts, and now and then he hands on what he took over. */
async function live(venue: Venue, parties: readonly Party[], path: PricePath, progress: Progress): Promise<Seen> {
  const keeper = parties.find((party) => party.kind === "keeper");
  if (keeper === undefined) throw new NoKeeper();
  const makers = parties.filter((party) => party.kind === "market maker");
  const watch = await startKeeper(venue, keeper);
  // Every transaction is a block of its own here: what would be the next block is a pass of the keeper.
  const observer = new Observer({
    ...{ provider: venue.chain.provider, addressBook: venue.book, taker: keeper.id },
    ...{ ...YARDSTICK, worth: MIN_PROFIT },
  });
  const fundId = accountId(venue.book.contracts.insuranceFund);
  const fundStart = watch.account(fundId).cash;
  const fund: bigint[] = [];
  const regime: Record<Asset, number[]> = { ETH: [], BTC: [] };
  const accounts = new Map(parties.map(({ id }) => [id, { equity: [] as bigint[], maintenance: [] as bigint[] }]));
  for (const [i, time] of path.times.entries()) {
    const answers = answersAt(path, i);
    await updateFeeds(venue, answers, time);
    if (i % REFRESH_EVERY === 0) await refreshRates(venue);
    await observer.see();
    await watch.tick();
    observe(watch, accounts);
    fund.push(watch.account(fundId).cash);
    for (const asset of ASSETS) regime[asset].push(factorOf(venue, watch, asset));
    if (i % HEDGE_EVERY === 0) {
      const taken = watch.account(keeper.id);
      await settle(venue, hedge(keeper, taken, watch.house(), venue.book, makers, answers, i / HEDGE_EVERY), time);
    }
    progress(i + 1, path.times.length);
  }
  await observer.see();
  return { fundStart, fund, regime, accounts, sightings: observer.sightings() };
}

/** μ of the maintenance requirement of an asset. */
function factorOf({ book }: Venue, watch: Watch, asset: Asset): number {
  const id = book.underlyings.find(({ name }) => name === asset)?.id ?? 0;
  return Number(watch.house().prices.get(id)?.maintenanceFactor ?? PPM) / Number(PPM);
}

function observe(watch: Watch, accounts: Seen["accounts"]): void {
  for (const [id, { equity, maintenance }] of accounts) {
    const assessment = assessAccount(watch.account(id), watch.house());
    equity.push(assessment.equity);
    maintenance.push(assessment.maintenanceMargin);
  }
}

function fateOf({ id, name, kind }: Party, start: bigint, books: Books, { slices }: Chronicle): Fate {
  const account = books.accounts.get(id);
  const none = { equity: 0n, initialMargin: 0n, maintenanceMargin: 0n };
  const final = account === undefined ? none : assessAccount(account, books.house);
  return { id, name, kind, start, end: final.equity, final, ...tollOf(slices, id) };
}

/** Of each kind the account with the most slices. */
function chooseTracks(fates: readonly Fate[], { accounts }: Seen): Track[] {
  return KINDS.flatMap((kind) => {
    const [fate] = fates.filter((f) => f.kind === kind).sort((a, b) => b.slices - a.slices);
    const track = fate === undefined ? undefined : accounts.get(fate.id);
    return fate === undefined || track === undefined ? [] : [{ fate, ...track }];
  });
}

function answersAt({ prices }: PricePath, i: number): Answers {
  return { ETH: prices.ETH[i] ?? 0n, BTC: prices.BTC[i] ?? 0n };
}
