import type { Interface } from "ethers";
import { ZeroHash } from "ethers";

import {
  AccessManager__factory,
  IClearingHouse__factory,
  PriceOracle__factory,
  RiskEngine__factory,
  RiskSteward__factory,
  TimelockController__factory,
} from "../../types/index.ts";
import type { Call } from "../sdk/calls.ts";
import type { Plimsoll } from "../sdk/client.ts";
import { history } from "../sdk/history.ts";
import { CliError, EXIT } from "./errors.ts";

const INTERFACES: readonly Interface[] = [
  ...[IClearingHouse__factory, RiskEngine__factory, PriceOracle__factory, AccessManager__factory].map((f) =>
    f.createInterface(),
  ),
  ...[RiskSteward__factory, TimelockController__factory].map((f) => f.createInterface()),
];

/** Something that governance has scheduled and that is neither made nor cancelled. */
export interface Pending {
  readonly id: string;
  /** where it waits: parameters and wiring in the access manager, roles in the timelock */
  readonly waitsIn: "access manager" | "timelock";
  readonly what: string;
  /** [s] from when it can be executed */
  readonly ready: number;
  /** [s] until when; of a timelock for ever */
  readonly until: number | undefined;
  readonly execute: Call;
  readonly cancel: Call;
}

/** No operation of that id is pending, or several begin so. */
export class UnknownOperation extends CliError {
  readonly exitCode = EXIT.usage;

  constructor(id: string, pending: readonly Pending[]) {
    const known = pending.length === 0 ? "nothing is pending" : `pending: ${pending.map((p) => p.id).join(", ")}`;
    super(`${id} names no one operation: ${known}`, { id, pending: pending.map((p) => p.id) });
  }
}

/** A call in words, or its selector if it is of no contract of the house. */
export function describeCall({ target, data }: Call): string {
  for (const abi of INTERFACES) {
    const parsed = abi.parseTransaction({ data });
    if (parsed !== null) return `${parsed.name}(${parsed.args.map(written).join(", ")})`;
  }
  return `${data.slice(0, 10)} of ${target}`;
}

function written(value: unknown): string {
  return Array.isArray(value) ? `(${value.map(written).join(", ")})` : String(value);
}

/** Everything that waits, the next one first. */
export async function pendingOperations(house: Plimsoll): Promise<Pending[]> {
  const { governance } = house.addressBook;
  const found = [await scheduled(house), governance === undefined ? [] : await timelocked(house, governance.timelock)];
  return found.flat().sort((a, b) => a.ready - b.ready);
}

/** The operation whose id begins so. @throws UnknownOperation */
export function findPending(pending: readonly Pending[], id: string): Pending {
  const [found, ...others] = pending.filter((p) => p.id.startsWith(id.toLowerCase()));
  if (found === undefined || others.length !== 0) throw new UnknownOperation(id, pending);
  return found;
}

async function scheduled(house: Plimsoll): Promise<Pending[]> {
  const target = house.addressBook.contracts.accessManager;
  const manager = AccessManager__factory.connect(target, house.provider);
  const events = await history(house, (...range) =>
    manager.queryFilter(manager.filters.OperationScheduled(), ...range),
  );
  const last = new Map(events.map(({ args }) => [args.operationId, args]));
  const expiration = Number(await manager.expiration());
  const looked = await Promise.all(
    [...last.values()].map(async (args) => ({ args, ready: Number(await manager.getSchedule(args.operationId)) })),
  );
  return looked
    .filter(({ ready }) => ready !== 0)
    .map(({ args: [id, , , caller, to, data], ready }) => ({
      ...{ id, waitsIn: "access manager", what: describeCall({ target: to, data }), ready, until: ready + expiration },
      execute: { target, data: manager.interface.encodeFunctionData("execute", [to, data]) },
      cancel: { target, data: manager.interface.encodeFunctionData("cancel", [caller, to, data]) },
    }));
}

async function timelocked(house: Plimsoll, target: string): Promise<Pending[]> {
  const timelock = TimelockController__factory.connect(target, house.provider);
  const { CallScheduled, CallSalt } = timelock.filters;
  const events = await history(house, (...range) => timelock.queryFilter(CallScheduled(), ...range));
  const salts = await history(house, (...range) => timelock.queryFilter(CallSalt(), ...range));
  const saltOf = new Map(salts.map(({ args }) => [args.id, args.salt]));
  const last = new Map(events.map(({ args }) => [args.id, args]));
  const looked = await Promise.all(
    [...last.values()].map(async (args) => ({
      args,
      waits: await timelock.isOperationPending(args.id),
      ready: Number(await timelock.getTimestamp(args.id)),
    })),
  );
  return looked
    .filter(({ waits }) => waits)
    .map(({ args: { id, target: to, value, data, predecessor }, ready }) => {
      const call = [to, value, data, predecessor, saltOf.get(id) ?? ZeroHash] as const;
      return {
        ...{ id, waitsIn: "timelock", what: describeCall({ target: to, data }), ready, until: undefined },
        execute: { target, data: timelock.interface.encodeFunctionData("execute", [...call]) },
        cancel: { target, data: timelock.interface.encodeFunctionData("cancel", [id]) },
      };
    });
}
