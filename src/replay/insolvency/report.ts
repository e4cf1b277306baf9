import Table from "cli-table3";

import { toNumber, wholeUsd } from "../format.ts";
import { excessOf, shareOf } from "./search.ts";
import type { Findings, Try } from "./search.ts";
import { describe } from "./strategy.ts";

/** Minutes within which an honest taker must make the attack lose. */
export const PROMPT = 2;

/** What was found for one delay of the honest taker [minutes]. */
export interface Row extends Findings {
  readonly delay: number;
}

/** Whether a claim holds, and the numbers that it holds by. */
export interface Claim {
  readonly name: string;
  readonly holds: boolean;
  readonly numbers: string;
}

/** What the rows show. */
export function claimsOf(rows: readonly Row[]): Claim[] {
  const prompt = rows.filter(({ delay }) => delay <= PROMPT).map(({ best }) => (best === undefined ? 0 : gainOf(best)));
  const excesses = rows.map(({ excess }) => (excess === undefined ? 0 : excessOf(excess)));
  const gain = Math.max(...prompt, -Infinity);
  const excess = Math.max(...excesses, -Infinity);
  return [
    {
      name: `with a taker within ${PROMPT} minutes it costs more than it gains`,
      holds: gain <= 0,
      numbers: `best gain ${gain.toFixed(0)} USD`,
    },
    {
      name: "no gain is above the caps on fund, ℓ and rescue and what stands as bad debt against other winners' profit",
      holds: excess <= 0,
      numbers: `closest ${excess.toFixed(0)} USD`,
    },
  ];
}

/** The table of a search, its strategies and its claims. Amounts are USD. */
export function report(rows: readonly Row[]): string {
  const table = new Table({
    head: [
      "taker after",
      "plays",
      "best gain",
      "of notional",
      "from fund",
      "ℓ, all",
      "rescue",
      "bad debt",
      "caps",
      "steepest",
    ],
    colAligns: Array.from({ length: 10 }, () => "right"),
    style: { head: [], border: [], compact: true },
  });
  for (const { delay, plays, best, steepest } of rows) {
    if (best === undefined || steepest === undefined) continue;
    const { gain, bound, losses } = best.outcome;
    const amounts = [losses.fromFund, losses.socialised, losses.rescues, losses.badDebt, bound].map(wholeUsd);
    table.push([`${delay} min`, plays, wholeUsd(gain), percent(best), ...amounts, percent(steepest)]);
  }
  const strategies = rows.map(
    ({ delay, best }) => `${delay} min: ${best === undefined ? "-" : describe(best.strategy)}`,
  );
  const claims = claimsOf(rows).map((c) => `${c.holds ? "ok    " : "BROKEN"}  ${c.name}: ${c.numbers}`);
  return [table.toString(), ...strategies, ...claims].join("\n");
}

function percent(found: Try): string {
  return `${(100 * shareOf(found)).toFixed(2)} %`;
}

function gainOf({ outcome }: Try): number {
  return toNumber(outcome.gain);
}
