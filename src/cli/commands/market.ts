import type { Command } from "commander";

import { capUse, forecast, RATE_CAP, rateOf } from "../../risk/funding.ts";
import { PPM, WAD } from "../../risk/fixed.ts";
import type { HouseState, MarketState } from "../../risk/types.ts";
import type { AddressBook } from "../../sdk/addressBook.ts";
import type { Plimsoll } from "../../sdk/client.ts";
import { InvalidValue } from "../errors.ts";
import { decimal, minute, multiple, percent, percentOfPpm, price, rounded, size, time, usd } from "../format.ts";
import { describeFailure } from "../failure.ts";
import { feedStatus } from "../../sdk/feeds.ts";
import type { FeedStatus } from "../../sdk/feeds.ts";
import { fundingPaid } from "../../sdk/history.ts";
import { parseMarket, underlyingName } from "../names.ts";
import { parsePrice } from "../../sdk/units.ts";
import { facts, paragraphs, table } from "../output.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { poolFacts, poolJson } from "./lending.ts";

const RATE_UNIT = 10n ** 6n; // [1e-12] to [wad]
const RAY_PER_WAD = 10n ** 18n; // [ray36] to [wad]
const HOUR = 3600n; // [s]
const MOST_HOURS = 168;
const PERIODS = 3n * 365n; // of 8 h in a year

export function marketCommands(program: Command, perform: Perform): void {
  const group = program
    .command("market")
    .description("markets: prices, funding, open interest, terms; the lending pool");
  group.command("list").description("every market at a glance").action(perform(listMarkets));
  group
    .command("show <market>")
    .description("terms, funding, open interest and pool of a market")
    .action(perform(show));
  group
    .command("funding <market>")
    .description("funding now, how much of its cap it takes up, and the next hours if prices stood still")
    .option("--hours <number>", "how many hours, at most 168", "8")
    .option("--index <price>", "index price from now on, if not the present one")
    .option("--mark <price>", "price at which trades go on; their last premium stays if left out")
    .action(perform(funding));
  group
    .command("prices")
    .description("every index price: age of its feed, volatility regime, and why a price is refused")
    .action(perform(prices));
}

/** A market as it stands. */
interface MarketView {
  readonly market: AddressBook["markets"][number];
  readonly state: MarketState;
  readonly index: bigint | undefined;
  readonly funding: bigint; // [wad] per 8 h, paid by longs
}

function viewOf(market: AddressBook["markets"][number], house: HouseState): MarketView[] {
  const state = house.markets.get(market.id);
  if (state === undefined) return [];
  const funding = rateOf(state, house.time) * RATE_UNIT;
  return [{ market, state, index: house.prices.get(state.underlying)?.price, funding }];
}

async function listMarkets(session: Session): Promise<Report> {
  const house = await session.house();
  const [state, pool, until] = await Promise.all([house.state(), house.lending(), house.clearingHouse.pausedUntil()]);
  const isPaused = until > state.time;
  const views = session.book.markets.flatMap((market) => viewOf(market, state));
  const row = (v: MarketView) => [
    ...[v.market.name, price(v.index), percent(v.funding), percent(v.funding * PERIODS), size(v.state.openInterest)],
    ...[usd(notional(v)), usd(v.state.pool), usd(v.state.badDebt)],
  ];
  const head = ["market", ">index", ">funding / 8 h", ">a year", ">open interest", ">[USD]", ">pool", ">bad debt"];
  return {
    data: { markets: views.map(summaryJson), lending: poolJson(pool), newRiskPausedUntil: isPaused ? until : null },
    text: paragraphs(
      isPaused ? `New risk is paused until ${time(until)}: no opening, no borrowing.` : "",
      table(head, views.map(row)),
      `Lending pool\n${facts(poolFacts(pool))}`,
    ),
  };
}

function notional({ state, index }: MarketView): bigint | undefined {
  return index === undefined ? undefined : (state.openInterest * index) / WAD;
}

function summaryJson(v: MarketView): object {
  return {
    ...{ market: v.market.name, id: v.market.id, indexPrice: decimal(v.index), fundingPer8h: decimal(v.funding) },
    ...{ openInterest: decimal(v.state.openInterest), openInterestUsd: decimal(notional(v)) },
    ...{ pool: decimal(v.state.pool), flaggedDeficit: decimal(v.state.flaggedDeficit) },
    badDebt: decimal(v.state.badDebt),
  };
}

async function show(session: Session, text: string): Promise<Report> {
  const market = parseMarket(text, session.book);
  const house = await session.house();
  const state = await house.state();
  const [terms, paid] = await Promise.all([termsOf(house, market.id), fundingPaid(house, market.id)]);
  const [v] = viewOf(market, state);
  if (v === undefined) return { data: { market: market.name }, text: `${market.name} is not listed` };
  return {
    data: { ...summaryJson(v), fundingPaid: { from: paid.from, perUnit: decimal(paid.paid) }, terms: termsJson(terms) },
    text: paragraphs(
      `${market.name} (market ${market.id}, underlying ${underlyingName(v.state.underlying, session.book)})`,
      facts([
        ["index price", price(v.index)],
        ["funding", `${percent(v.funding)} per 8 h, ${percent(v.funding * PERIODS)} a year, longs pay shorts`],
        ["funding since", `${minute(paid.from)} UTC: a long of one unit has paid ${rounded(paid.paid, 6)} USD`],
        ["open interest", `${size(v.state.openInterest)} (${usd(notional(v))} USD)`],
        ["pool", usd(v.state.pool)],
        ["flagged deficits", usd(v.state.flaggedDeficit)],
        ["bad debt", usd(v.state.badDebt)],
      ]),
      facts(termFacts(terms)),
    ),
  };
}

interface FundingOptions {
  readonly hours: string;
  readonly index?: string;
  readonly mark?: string;
}

async function funding(session: Session, text: string, options: FundingOptions): Promise<Report> {
  const market = parseMarket(text, session.book);
  const hours = parseHours(options.hours);
  const state = await (await session.house()).state();
  const [v] = viewOf(market, state);
  if (v === undefined) return { data: { market: market.name }, text: `${market.name} is not listed` };
  const index = options.index === undefined ? (v.index ?? v.state.price) : parsePrice(options.index);
  const mark = options.mark === undefined ? undefined : parsePrice(options.mark);
  const use = capUse(v.state, state.time);
  const future = Array.from({ length: hours }, (_, i) => {
    const { rate, paid } = forecast(v.state, index, state.time, BigInt(i + 1) * HOUR, mark);
    return { hours: i + 1, rate: rate * RATE_UNIT, paid: paid / RAY_PER_WAD };
  });
  const last = v.state.lastPremium * RATE_UNIT;
  return {
    data: {
      ...{
        market: market.name,
        indexPrice: decimal(index),
        fundingPer8h: decimal(v.funding),
        lastPremium: decimal(last),
      },
      ...{ capPer8h: decimal(RATE_CAP * RATE_UNIT), capUse: decimal((use * WAD) / PPM) },
      future: future.map((at) => ({ hours: at.hours, fundingPer8h: decimal(at.rate), paid: decimal(at.paid) })),
    },
    text: paragraphs(
      facts([
        ["index price", price(index)],
        ["funding", `${percent(v.funding)} per 8 h, longs pay shorts`],
        ["premium of the last trades", `${percent(last)}, which funding moves towards`],
        [
          "cap",
          `${percent(RATE_CAP * RATE_UNIT)} per 8 h, ${percentOfPpm(use)} of it taken up${use >= PPM ? ": it binds" : ""}`,
        ],
      ]),
      table(
        ["in", ">funding / 8 h", ">a long of one unit has paid"],
        future.map((at) => [`${at.hours} h`, percent(at.rate), rounded(at.paid, 6)]),
      ),
    ),
  };
}

/** @throws InvalidValue */
function parseHours(text: string): number {
  const hours = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (hours < 1 || hours > MOST_HOURS) throw new InvalidValue("--hours", text, `give 1 to ${MOST_HOURS}`);
  return hours;
}

async function prices(session: Session): Promise<Report> {
  const house = await session.house();
  const { underlyings } = session.book;
  const found = await Promise.all(
    underlyings.map(async ({ id, name }) => ({ name, ...(await feedStatus(house, id)) })),
  );
  const why = ({ refusal }: FeedStatus) =>
    refusal === undefined ? "in use" : `refused: ${describeFailure(refusal, session.book).message}`;
  const row = (f: (typeof found)[number]) => [
    ...[f.name, price(f.snapshot?.price), seconds(f.age), seconds(f.heartbeat)],
    ...[multiple(regime(f.snapshot?.initialFactor)), multiple(regime(f.snapshot?.maintenanceFactor)), why(f)],
  ];
  const head = ["underlying", ">index price", ">age", ">stale from", ">regime of IM", ">of MM", "state"];
  return {
    data: {
      prices: found.map((f) => ({
        ...{ underlying: f.name, feed: f.feed, indexPrice: decimal(f.snapshot?.price), age: f.age ?? null },
        ...{ heartbeat: f.heartbeat, refusal: f.refusal?.name ?? null },
        lastGood: f.lastGood === undefined ? null : { price: decimal(f.lastGood.price), age: f.lastGood.age },
      })),
    },
    text: table(head, found.map(row)),
  };
}

/** [ppm] as a multiple [wad]. */
function regime(factor: bigint | undefined): bigint | undefined {
  return factor === undefined ? undefined : (factor * WAD) / PPM;
}

function seconds(count: number | undefined): string {
  return count === undefined ? "no answer" : `${count.toLocaleString("en")} s`;
}

interface Terms {
  readonly takerFee: bigint; // [ppm]
  readonly makerFee: bigint; // [ppm]
  readonly priceBand: bigint; // [ppm]
  readonly minFill: bigint; // [wad]
  readonly softCap: bigint; // [whole USD]
  readonly hardCap: bigint; // [whole USD]
}

async function termsOf({ clearingHouse }: Plimsoll, id: number): Promise<Terms> {
  const [{ takerFee, makerFee, priceBand, minFill, softCap, hardCap }] = await clearingHouse.market(id);
  return { takerFee, makerFee, priceBand, minFill, softCap, hardCap };
}

function termFacts(t: Terms): [name: string, value: string][] {
  return [
    ["taker fee", percentOfPpm(t.takerFee)],
    ["maker fee", percentOfPpm(t.makerFee)],
    ["price band", percentOfPpm(t.priceBand)],
    ["smallest fill", size(t.minFill)],
    ["soft cap", `${rounded(t.softCap * WAD, 0)} USD of open interest`],
    ["hard cap", `${rounded(t.hardCap * WAD, 0)} USD of open interest`],
  ];
}

function termsJson(t: Terms): object {
  const ppm = (share: bigint) => decimal(share * 10n ** 12n);
  return {
    ...{ takerFee: ppm(t.takerFee), makerFee: ppm(t.makerFee), priceBand: ppm(t.priceBand) },
    ...{ minFill: decimal(t.minFill), softCap: t.softCap, hardCap: t.hardCap },
  };
}
