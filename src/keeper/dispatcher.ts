import type { Logger } from "pino";

import { positive, WAD } from "../risk/fixed.ts";
import { hexOf } from "../sdk/accountId.ts";
import type { AccountId } from "../sdk/accountId.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import type { Call } from "../sdk/calls.ts";
import type { ActLog, Moment } from "./actLog.ts";
import { nameOfAct } from "./acts.ts";
import type { PlannedAct } from "./acts.ts";
import type { KeeperPolicy } from "./config.ts";
import type { Database } from "./database.ts";
import type { NodeProvider } from "./endpoints.ts";
import type { Outcome } from "./lane.ts";
import type { Leases } from "./leases.ts";
import type { Mirror } from "./mirror.ts";
import { Sender, shortMessage } from "./sender.ts";
import type { SenderOptions, Terms } from "./sender.ts";
import type { KeeperSigner } from "./signer.ts";
import { openTakerKey } from "./takerKey.ts";

/** What comes of an act that another keeper of the same database is at. */
export const ANOTHER_KEEPER: Outcome = { result: "declined", reason: "another keeper is at it" };

/** What is known of a call's gas before it is simulated; with a limit it is not. */
export type KnownGas = Pick<Terms, "gas" | "gasLimit" | "gasRoom">;

/** What a dispatcher needs. */
export interface DispatcherOptions {
  readonly provider: NodeProvider;
  readonly signer: KeeperSigner;
  readonly addressBook: AddressBook;
  readonly takerAccount: AccountId;
  readonly database: Database;
  readonly policy: KeeperPolicy;
  /** The block that acts are decided at, and prices there. */
  readonly mirror: Pick<Mirror, "head" | "house">;
  readonly log: ActLog;
  readonly logger: Logger;
  /** Shares the work among keepers of one database. */
  readonly leases: Leases | undefined;
  /** How gas is paid for, and what is offered for it. */
  readonly gas: Pick<SenderOptions, "gasModel" | "bidding"> | undefined;
}

/** What it sends with. */
interface Parts {
  readonly sender: Sender;
  /** Makes of a call the one that the signer sends. */
  readonly asTaker: (call: Call) => Call;
  /** What calls were about that a reorganisation has taken back: the sender brings them in again. */
  readonly undone: ReadonlySet<string>;
}

/** Carries acts out, several at once, each once and only once: no two at a time about the same, and none that was done already. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #sender: Sender;
  readonly #asTaker: Parts["asTaker"];
  readonly #undone: Parts["undone"];
  /** What has not ended, by what it is about. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** The blocks that calls have ended in, by what they were about, until the mirror has read them. */
  readonly #ended = new Map<string, number>();
  #gasAssetPrice: bigint | undefined;
  #passBegan = 0; // [ms]

  private constructor(options: DispatcherOptions, { sender, asTaker, undone }: Parts) {
    this.#options = options;
    this.#sender = sender;
    this.#asTaker = asTaker;
    this.#undone = undone;
  }

  /**
   * Opens the sender, which asks what became of what was sent before.
   * @throws UnusableTaker, TakerKeyTooWide, DatabaseError
   */
  static async open(options: DispatcherOptions): Promise<Dispatcher> {
    const { provider, signer, addressBook, takerAccount, database, policy, log, gas } = options;
    const asTaker = await openTakerKey(provider, addressBook, takerAccount, signer.address);
    const undone = new Set<string>();
    const onChange: SenderOptions["onChange"] = (purpose, outcome) => {
      log.change(purpose, outcome);
      if (outcome === undefined) undone.add(nameIn(purpose));
      else undone.delete(nameIn(purpose));
    };
    const sender = await Sender.open({ provider, signer, database, policy, onChange, ...gas });
    return new Dispatcher(options, { sender, asTaker, undone });
  }

  /** Waits for what was sent before the start, so that it is not begun again. */
  resume(): void {
    for (const [purpose, ending] of this.#sender.underWay()) {
      const name = nameIn(purpose);
      this.#options.logger.info(
        { name, head: purpose.slice(name.length + 1) },
        "was sent before the start and is under way still",
      );
      const work = ending.then((outcome) => {
        this.#end(name, outcome);
      });
      this.#underWay.set(name, work);
    }
  }

  // ---------------------------------------------------------------- what is begun

  /**
   * Begins a call unless it is busy; `after` is told what came of it. What has an expected gain must bring it after gas.
   * @returns whether it has begun
   */
  begin(act: PlannedAct, call: Call, after?: (outcome: Outcome) => void, gas?: KnownGas): boolean {
    const name = nameOfAct(act, call);
    if (this.#isBusy(name)) return false;
    const purpose = `${name}:${this.#options.mirror.head}`;
    const lease = act.account === undefined ? name : hexOf(act.account);
    const work = this.#leased(lease, () => this.#attempt(act, call, { ...gas, purpose })).then((outcome) => {
      this.#end(name, outcome);
      this.#options.log.record(act, outcome, this.#now, purpose);
      after?.(outcome);
    });
    this.#underWay.set(name, work);
    return true;
  }

  /** Begins what is no call of the signer's, unless something of that name is under way. */
  beginOther(name: string, act: PlannedAct, work: () => Promise<Outcome>): void {
    if (this.#isBusy(name)) return;
    const ending = this.#leased(name, work).then((outcome) => {
      this.#end(name, outcome);
      this.#options.log.record(act, outcome, this.#now);
    });
    this.#underWay.set(name, ending);
  }

  /** Takes note of what was looked at and left alone. */
  leave(act: PlannedAct): void {
    this.#options.log.record(act, { result: "none" }, this.#now);
  }

  /** Takes note that a call has ended within another one. */
  endWith(act: PlannedAct, call: Call, outcome: Outcome): void {
    this.#end(nameOfAct(act, call), outcome);
  }

  /** Whether a call is under way, for the first time or again, or has ended in a block that the mirror has not read yet. */
  isBusy(act: PlannedAct, call: Call): boolean {
    return this.#isBusy(nameOfAct(act, call));
  }

  /** Whether nothing is under way. */
  get isIdle(): boolean {
    return this.#underWay.size === 0;
  }

  // ---------------------------------------------------------------- what goes on

  /** From here on counts how long a pass takes to send something. */
  beginPass(): void {
    this.#passBegan = performance.now();
  }

  /** Looks after what is under way: to be called at every block. */
  look(): Promise<void> {
    return this.#sender.look();
  }

  /** Lets go of what the mirror knows of by now. */
  forgetRead(): void {
    const { head } = this.#options.mirror;
    for (const [name, block] of this.#ended) if (block <= head) this.#ended.delete(name);
  }

  /** [s] For how long a balance [wei] lasts. */
  runway(balance: bigint): number {
    return this.#sender.runway(balance);
  }

  /** Has the log forget what nothing can take back any more. */
  settle(): void {
    this.#options.log.settle(this.#sender.unsettled);
  }

  /** Resolves when what is under way now has ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }

  #isBusy(name: string): boolean {
    return this.#underWay.has(name) || this.#undone.has(name) || this.#ended.has(name);
  }

  #end(name: string, { block }: Outcome): void {
    this.#underWay.delete(name);
    if (block !== undefined) this.#ended.set(name, block);
  }

  /** Does what no other keeper of the same database is at, or has done since this block. */
  async #leased(name: string, work: () => Promise<Outcome>): Promise<Outcome> {
    const { leases, mirror } = this.#options;
    if (leases === undefined) return work();
    try {
      return (await leases.hold(name, mirror.head, work)) ?? ANOTHER_KEEPER;
    } catch (error) {
      return { result: "failed", reason: shortMessage(error) };
    }
  }

  async #attempt({ expectedGain, expectedProfit }: PlannedAct, call: Call, terms: Terms): Promise<Outcome> {
    const profit = expectedProfit ?? expectedGain;
    const began = this.#passBegan;
    try {
      return await this.#sender.attempt(this.#asTaker(call), {
        ...terms,
        accept: (cost) => this.#pays(profit, cost),
        ...this.#worth(profit),
        onSent: () => {
          this.#options.log.metrics.submission.observe((performance.now() - began) / 1000);
        },
      });
    } catch (error) {
      return { result: "failed", reason: shortMessage(error) };
    }
  }

  // ---------------------------------------------------------------- what it may cost

  /** [wei] What gas may cost for a profit [wad USD] to be the least one. */
  #worth(profit: bigint | undefined): { expectedGain?: bigint } {
    const price = this.#priceOfGasAsset();
    if (profit === undefined || price === undefined) return {};
    return { expectedGain: (positive(profit - this.#options.policy.minProfit) * WAD) / price };
  }

  /** @param cost [wei] */
  #pays(profit: bigint | undefined, cost: bigint): boolean {
    if (profit === undefined) return true;
    const price = this.#priceOfGasAsset();
    return price !== undefined && profit - (cost * price) / WAD >= this.#options.policy.minProfit;
  }

  /** [wad] USD; the last usable price if there is none now. */
  #priceOfGasAsset(): bigint | undefined {
    const { addressBook, policy, mirror } = this.#options;
    const asset = addressBook.underlyings.find(({ name }) => name === policy.gasUnderlying);
    const now = asset === undefined ? undefined : mirror.house.prices.get(asset.id)?.price;
    return (this.#gasAssetPrice = now ?? this.#gasAssetPrice);
  }

  get #now(): Moment {
    return { block: this.#options.mirror.head, gasAssetPrice: this.#gasAssetPrice ?? 0n };
  }
}

/** What the call of a purpose is about: all but the block that it was decided at. */
function nameIn(purpose: string): string {
  return purpose.slice(0, purpose.lastIndexOf(":"));
}
