import type { Interface, ParamType } from "ethers";
import { getAddress, ZeroHash } from "ethers";

import {
  AccessManager__factory,
  IClearingHouse__factory,
  PriceOracle__factory,
  RiskEngine__factory,
  RiskSteward__factory,
  TimelockController__factory,
} from "../../types/index.ts";
import type { TimelockController } from "../../types/index.ts";
import type { CallScheduledEvent } from "../../types/@openzeppelin/contracts/governance/TimelockController.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
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

/** A call in words, with its target if that is no contract of the house; its selector if nobody here knows it or what it is given. */
export function describeCall({ contracts, governance }: AddressBook, { target, data }: Call): string {
  const known = Object.values({ ...contracts, ...governance }).includes(getAddress(target));
  const words = INTERFACES.map((abi) => decoded(abi, data)).find((text) => text !== undefined);
  if (words !== undefined && known) return words;
  return `${words ?? data.slice(0, 10)} of ${target}`;
}

function decoded(abi: Interface, data: string): string | undefined {
  try {
    const parsed = abi.parseTransaction({ data });
    if (parsed === null) return undefined;
    return `${parsed.name}(${parsed.fragment.inputs.map((type, i) => written(parsed.args[i], type)).join(", ")})`;
  } catch {
    return undefined; // not what the function takes: anything can be scheduled
  }
}

/** A value, with the names of its fields if it has some. */
function written(value: unknown, { components, arrayChildren }: ParamType): string {
  if (!Array.isArray(value)) return String(value);
  const parts = value.map((part: unknown, i) => {
    const type = components?.[i] ?? arrayChildren;
    return type === null ? String(part) : `${type.name} ${written(part, type)}`.trimStart();
  });
  return `(${parts.join(", ")})`;
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
  // Of an operation that was scheduled several times the last one, in its own place: a proposal may need its order.
  const last = new Map<string, (typeof events)[number]["args"]>();
  for (const { args } of events) {
    last.delete(args.operationId);
    last.set(args.operationId, args);
  }
  const expiration = Number(await manager.expiration());
  const looked = await Promise.all(
    [...last.values()].map(async (args) => ({ args, ready: Number(await manager.getSchedule(args.operationId)) })),
  );
  return looked
    .filter(({ ready }) => ready !== 0)
    .map(({ args: [id, , , caller, to, data], ready }) => ({
      ...{ id, waitsIn: "access manager", ready, until: ready + expiration },
      what: describeCall(house.addressBook, { target: to, data }),
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
  // By id and place in it: what was cancelled can be scheduled again.
  const calls = new Map<string, (typeof events)[number]["args"][]>();
  for (const { args } of events) {
    const batch = calls.get(args.id) ?? [];
    batch[Number(args.index)] = args;
    calls.set(args.id, batch);
  }
  const pending = await Promise.all(
    [...calls].map(async ([id, batch]): Promise<Pending[]> => {
      if (!(await timelock.isOperationPending(id))) return [];
      const execution = await executionOf(timelock, id, batch, saltOf.get(id) ?? ZeroHash);
      return [
        {
          ...{ id, waitsIn: "timelock", until: undefined, ready: Number(await timelock.getTimestamp(id)) },
          what: batch.map((call) => describeCall(house.addressBook, call)).join(", then "),
          execute: { target, data: execution },
          cancel: { target, data: timelock.interface.encodeFunctionData("cancel", [id]) },
        },
      ];
    }),
  );
  return pending.flat();
}

/** The timelock names one call and a batch of one differently; the id says which of them was scheduled. */
async function executionOf(
  timelock: TimelockController,
  id: string,
  batch: readonly CallScheduledEvent.OutputObject[],
  salt: string,
): Promise<string> {
  const [first, ...others] = batch;
  if (first !== undefined && others.length === 0) {
    const call = [first.target, first.value, first.data, first.predecessor, salt] as const;
    if ((await timelock.hashOperation(...call)) === id)
      return timelock.interface.encodeFunctionData("execute", [...call]);
  }
  const [targets, values, data] = [batch.map((c) => c.target), batch.map((c) => c.value), batch.map((c) => c.data)];
  const predecessor = first?.predecessor ?? ZeroHash;
  return timelock.interface.encodeFunctionData("executeBatch", [targets, values, data, predecessor, salt]);
}
