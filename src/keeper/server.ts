import type { Logger } from "pino";
import { z } from "zod";

import { RiskError } from "../risk/errors.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { explanationJson } from "../sdk/explain.ts";
import type { Explanation } from "../sdk/explain.ts";
import type { Database } from "./database.ts";
import type { Metrics } from "./metrics.ts";
import { encodeReport, reportJson, REPORT_NAME } from "./report.ts";
import type { LiquidationReports } from "./reports.ts";
import { shortMessage } from "./sender.ts";
import { gasReason, StatusServer } from "./statusServer.ts";

const MAX_LEAD = 600; // [s] of a block over the clock here: no chain's is so far ahead
const REPORTS_SHOWN = 100;
const NO_ACCOUNT = { error: "give an account's full id: 0x and up to 64 hexadecimal digits" };

/** Where the server listens, and what a keeper needs to be ready. */
export const serverPolicySchema = z.object({
  host: z.string().min(1).default("127.0.0.1"),
  /** 0 = any that is free */
  port: z.int().min(0).max(65_535),
  /** [s] of the newest block */
  maxHeadAge: z.number().positive().default(60),
  /** [s] for which the signer's balance must last */
  minGasRunway: z.number().positive().default(86_400),
});

export type ServerPolicy = z.infer<typeof serverPolicySchema>;

/** How a keeper stands. */
export interface KeeperStatus {
  /** [ms] when its last pass ended; `undefined` before the first */
  readonly lastPass: number | undefined;
  /** [s] since then, by a clock that does not jump */
  readonly passAge: number;
  /** [s] time of the newest block that it knows */
  readonly headTime: number | undefined;
  /** [s] since that block has come, by a clock that does not jump */
  readonly headAge: number;
  /** names of the underlyings without a usable price */
  readonly unusablePrices: readonly string[];
  /** where the mirror and the chain differ; `undefined` if they agree */
  readonly unreconciled: string | undefined;
  /** [s] */
  readonly gasRunway: number;
}

export interface KeeperServerOptions {
  readonly policy: ServerPolicy;
  readonly metrics: Metrics;
  readonly database: Database;
  readonly addressBook: AddressBook;
  readonly logger: Logger;
  readonly status: () => KeeperStatus;
  /** Explains an account, with the last decision on it. May throw a RiskError. */
  readonly why: (id: AccountId) => Promise<Explanation>;
  readonly reports: Pick<LiquidationReports, "newest" | "find">;
}

/**
 * `/metrics`, `/health`, `/ready`, `/why/<account>`, `/reports` (of one account with `?account=`) and `/reports/<id or transaction>` of
 * a running keeper.
 */
export class KeeperServer extends StatusServer {
  readonly #options: KeeperServerOptions;

  constructor(options: KeeperServerOptions) {
    const { policy, metrics, status } = options;
    super({
      ...{ policy, metrics },
      times: () => ({ lastPass: status().lastPass }),
      reasons: () => reasonsOf(options),
    });
    this.#options = options;
    this.http.setErrorHandler((error, request, reply) => {
      options.logger.error({ url: request.url, reason: shortMessage(error) }, "request failed");
      return reply.code(500).send({ error: "see the keeper's log" });
    });
    this.#routeAccounts();
    this.#routeReports();
  }

  #routeAccounts(): void {
    this.http.get<{ Params: { account: string } }>("/why/:account", async ({ params }, reply) => {
      const id = parseId(params.account);
      if (id === undefined) {
        return reply.code(400).send(NO_ACCOUNT);
      }
      try {
        return explanationJson(await this.#options.why(id), this.#options.addressBook);
      } catch (error) {
        if (error instanceof RiskError) return reply.code(409).send({ error: error.message });
        throw error;
      }
    });
  }

  #routeReports(): void {
    const { reports, addressBook } = this.#options;
    this.http.get<{ Querystring: { account?: string } }>("/reports", async ({ query: { account } }, reply) => {
      const id = account === undefined ? undefined : parseId(account);
      if (account !== undefined && id === undefined) return reply.code(400).send(NO_ACCOUNT);
      const found = await reports.newest(REPORTS_SHOWN, id);
      return { reports: found.map((report) => reportJson(report, addressBook)) };
    });
    this.http.get<{ Params: { name: string } }>("/reports/:name", async ({ params: { name } }, reply) => {
      const found = REPORT_NAME.test(name) ? await reports.find(name.toLowerCase()) : [];
      if (found.length === 0) {
        return reply
          .code(404)
          .send({ error: "no liquidation is known by that name: give a transaction's hash, or a report's id" });
      }
      return reply.type("application/json").send(`{"reports":[${found.map(encodeReport).join(",")}]}`); // whole: they can be verified
    });
  }
}

async function reasonsOf({ status, policy, database }: KeeperServerOptions): Promise<string[]> {
  const reasons = notReady(status(), policy, Date.now());
  if (!(await isWritable(database))) reasons.push("the database cannot be written: look at its disk and connection");
  return reasons;
}

/** What keeps a keeper from acting at `now` [ms], and what to do about it. */
export function notReady(status: KeeperStatus, policy: ServerPolicy, now: number): string[] {
  const { lastPass, passAge, headTime, headAge, unusablePrices, unreconciled, gasRunway } = status;
  const reasons: string[] = [];
  const age = now / 1000 - (headTime ?? 0); // [s]
  if (lastPass === undefined) reasons.push("no pass has ended yet: wait for the mirror");
  else if (passAge > policy.maxHeadAge) {
    reasons.push(`no pass has ended for ${Math.round(passAge)} s: look in the log for why they fail ("pass failed")`);
  }
  if (headTime === undefined) reasons.push("no block is known: look at the node");
  else if (headAge > policy.maxHeadAge) {
    reasons.push(
      `no new block for ${Math.round(headAge)} s, at most ${policy.maxHeadAge} s are allowed: look at the node`,
    );
  } else if (age > policy.maxHeadAge) {
    const most = `at most ${policy.maxHeadAge} s are allowed`;
    reasons.push(`the newest block is ${Math.round(age)} s old, ${most}: look at the node and at this machine's clock`);
  } else if (-age > MAX_LEAD) {
    reasons.push(`the newest block is ${Math.round(-age)} s ahead of this machine's clock: set the clock`);
  }
  if (unusablePrices.length !== 0) reasons.push(`no usable price of ${unusablePrices.join(", ")}: look at the feeds`);
  if (unreconciled !== undefined) reasons.push(`the mirror differs from the chain (${unreconciled}): run the audit`);
  if (gasRunway < policy.minGasRunway) reasons.push(gasReason(gasRunway, policy.minGasRunway));
  return reasons;
}

/** Whether a row can be written and is on the disk. */
async function isWritable(database: Database): Promise<boolean> {
  try {
    await database.run("CREATE TABLE IF NOT EXISTS probe (id BIGINT PRIMARY KEY, time BIGINT NOT NULL)");
    await database.run(WRITE_PROBE, Date.now());
    return true;
  } catch {
    return false;
  }
}

const WRITE_PROBE = "INSERT INTO probe (id, time) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET time = excluded.time";

function parseId(text: string): AccountId | undefined {
  return /^0x[0-9a-fA-F]{1,64}$/.test(text) ? BigInt(text) : undefined;
}
