import { toQuantity } from "ethers";
import type { LogDescription } from "ethers";

import { IClearingHouse__factory } from "../../types/index.ts";
import { accountId } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { ReadableVenue } from "./venue.ts";

const BLOCKS_PER_QUERY = 2000;
const WAD = 10n ** 18n;
const LENDING = 64n; // stands for the lending pool where losses are kept by market

/** An event of the clearinghouse and the time of its block [s]. */
interface Happening {
  time: number;
  event: LogDescription;
}

/** One slice that was sold. Amounts are [wad]. */
export interface SliceSold {
  time: number; // [s]
  account: AccountId;
  fraction: bigint;
  equity: bigint; // before
  maintenanceMargin: bigint; // before
  cost: bigint; // penalty
}

/** What the events of the clearinghouse tell. Amounts are [wad] over the whole time. */
export interface Chronicle {
  accounts: Set<AccountId>; // everyone who was named in an event
  slices: SliceSold[];
  flags: number;
  marginCalls: number;
  trades: number;
  fees: bigint; // charged on trades
  penaltiesToFund: bigint;
  penaltiesToFlaggers: bigint;
  feesToFund: bigint;
  feesToTreasury: bigint;
  interestToFund: bigint; // swept reserves of the lending pool
  deficits: bigint; // what bankrupt accounts could not pay …
  fromFund: bigint; // … of which the fund paid,
  socialised: bigint; // the other side was charged,
  fromLenders: bigint; // the lenders have borne,
  badDebtRecorded: bigint; // and nobody has paid
  badDebtRepaid: bigint;
  rescues: bigint; // paid by the fund to takers
  roundings: Map<number, bigint>; // by market: events in which a quote was rounded
}

/** Reads what happened from the deployment on. */
export async function readChronicle(venue: ReadableVenue): Promise<Chronicle> {
  const chronicle: Chronicle = {
    accounts: new Set([accountId(venue.book.contracts.insuranceFund)]),
    slices: [],
    flags: 0,
    marginCalls: 0,
    trades: 0,
    fees: 0n,
    penaltiesToFund: 0n,
    penaltiesToFlaggers: 0n,
    feesToFund: 0n,
    feesToTreasury: 0n,
    interestToFund: 0n,
    deficits: 0n,
    fromFund: 0n,
    socialised: 0n,
    fromLenders: 0n,
    badDebtRecorded: 0n,
    badDebtRepaid: 0n,
    rescues: 0n,
    roundings: new Map(),
  };
  for (const happening of await readEvents(venue)) record(chronicle, happening);
  return chronicle;
}

async function readEvents({ chain, book }: ReadableVenue): Promise<Happening[]> {
  const { provider } = chain;
  const address = book.contracts.clearingHouse;
  const abi = IClearingHouse__factory.createInterface();
  const head = await provider.getBlockNumber();
  const happenings: Happening[] = [];
  for (let from = book.deployBlock; from <= head; from += BLOCKS_PER_QUERY) {
    const range = { fromBlock: toQuantity(from), toBlock: toQuantity(Math.min(from + BLOCKS_PER_QUERY - 1, head)) };
    const logs = (await provider.send("eth_getLogs", [{ address, ...range }])) as {
      topics: string[];
      data: string;
      blockTimestamp: string;
    }[];
    for (const log of logs) {
      const event = abi.parseLog(log);
      if (event !== null) happenings.push({ time: Number(log.blockTimestamp), event });
    }
  }
  return happenings;
}

function record(c: Chronicle, { time, event }: Happening): void {
  event.fragment.inputs.forEach((input, i) => {
    if (input.type === "uint256" && ["account", "from", "to", "maker", "taker"].includes(input.name)) {
      c.accounts.add(event.args[i] as bigint);
    }
  });
  const amount = (name: string) => event.args.getValue(name) as bigint;
  const rounded = (market: number) => c.roundings.set(market, (c.roundings.get(market) ?? 0n) + 1n);
  switch (event.name) {
    case "Trade":
      c.trades += 1;
      c.fees += amount("makerFee") + amount("takerFee");
      rounded(Number(amount("market")));
      break;
    case "PositionTaken":
    case "LossSocialised":
      if (event.name === "LossSocialised") c.socialised += amount("amount");
      rounded(Number(amount("market")));
      break;
    case "Flagged":
      c.flags += 1;
      c.accounts.add(accountId(event.args.getValue("flagger") as string));
      break;
    case "MarginCall":
      c.marginCalls += 1;
      break;
    case "Liquidated":
      c.slices.push({
        time,
        account: amount("account"),
        fraction: amount("fraction"),
        equity: amount("equity"),
        maintenanceMargin: amount("maintenanceMargin"),
        cost: amount("cost"),
      });
      c.penaltiesToFund += amount("toFund");
      c.penaltiesToFlaggers += amount("toFlagger");
      break;
    case "DeficitAbsorbed":
      c.deficits += amount("part");
      c.fromFund += amount("fromFund");
      c.badDebtRecorded += amount("badDebt");
      if (amount("market") === LENDING) c.fromLenders += amount("socialised");
      break;
    case "BadDebtRepaid":
      c.badDebtRepaid += amount("amount");
      break;
    case "RescuePaid":
      c.rescues += amount("amount");
      break;
    case "FeesSwept":
      c.feesToFund += amount("toFund");
      c.feesToTreasury += amount("toTreasury");
      break;
    case "ReservesSwept":
      c.interestToFund += amount("amount");
      break;
    case "TreasurySet":
      c.accounts.add(accountId(event.args.getValue("treasury") as string));
      break;
    default:
  }
}

/** What became of one account. */
export interface Toll {
  liquidations: number; // runs of consecutive minutes with slices
  slices: number;
  soldWhole: boolean;
  penalties: bigint; // [wad]
}

/** What the slices did to an account. */
export function tollOf(slices: readonly SliceSold[], account: AccountId): Toll {
  const own = slices.filter((slice) => slice.account === account);
  const starts = own.filter((slice, i) => slice.time - (own[i - 1]?.time ?? 0) > 60);
  return {
    liquidations: starts.length,
    slices: own.length,
    soldWhole: own.some((slice) => slice.fraction === WAD),
    penalties: own.reduce((sum, slice) => sum + slice.cost, 0n),
  };
}
