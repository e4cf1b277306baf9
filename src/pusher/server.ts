import { gasReason, StatusServer } from "../keeper/statusServer.ts";
import type { PusherServerPolicy } from "./config.ts";
import type { PusherMetrics } from "./metrics.ts";
import type { PusherStatus } from "./pusher.ts";

export interface PusherServerOptions {
  readonly policy: PusherServerPolicy;
  readonly metrics: PusherMetrics;
  readonly status: () => PusherStatus;
}

/** `/metrics`, `/health` and `/ready` of a running pusher. */
export class PusherServer extends StatusServer {
  constructor({ policy, metrics, status }: PusherServerOptions) {
    super({
      ...{ policy, metrics },
      times: () => ({ lastLook: status().lastLook }),
      reasons: () => notReady(status(), policy),
    });
  }
}

/** What keeps a pusher from pushing, and what to do about it. */
function notReady({ lastLook, problems, gasRunway }: PusherStatus, { minGasRunway }: PusherServerPolicy): string[] {
  const reasons = [...problems].map(([pair, problem]) => `${pair} is not kept up: ${problem}`);
  if (lastLook === undefined) reasons.push("nothing was looked at yet: wait for the sources");
  if (gasRunway < minGasRunway) reasons.push(gasReason(gasRunway, minGasRunway));
  return reasons;
}
