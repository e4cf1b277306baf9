/** How a command ends. */
export const EXIT = {
  done: 0,
  /** something else than below */
  failed: 1,
  /** the command line, a file or a setting is wrong: nothing was tried */
  usage: 2,
  /** a contract or the matcher refused */
  refused: 3,
  /** the node or the matcher does not answer */
  unreachable: 4,
  /** by Ctrl-C, to be gone on with later: as shells say it of SIGINT */
  stopped: 130,
} as const;

/** A failure of the command line itself; `fields` say with which values. */
export abstract class CliError extends Error {
  abstract readonly exitCode: number;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(message: string, fields: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = new.target.name;
    this.fields = fields;
  }
}

/** Arguments that commander could not make sense of. */
export class InvalidCommandLine extends CliError {
  readonly exitCode = EXIT.usage;
}

/** A setting of the environment or an option that cannot be used. */
export class InvalidSettings extends CliError {
  readonly exitCode = EXIT.usage;

  constructor(problems: readonly string[]) {
    super(problems.join("; "), { problems });
  }
}

/** An argument or option with a value that cannot be used. */
export class InvalidValue extends CliError {
  readonly exitCode = EXIT.usage;

  constructor(what: string, value: string, expected: string) {
    super(`${what} "${value}": ${expected}`, { what, value, expected });
  }
}

/** Options that exclude or need each other. */
export class OptionConflict extends CliError {
  readonly exitCode = EXIT.usage;
}

/** Something has to be confirmed, and nobody is there to do it. */
export class ConfirmationRequired extends CliError {
  readonly exitCode = EXIT.usage;

  constructor() {
    super("this has to be confirmed: run it in a terminal, or say --yes");
  }
}

/** What events, storage and tokens tell of the house is not the same. */
export class BooksDiffer extends CliError {
  readonly exitCode = EXIT.failed;

  /** @param differences each in words; `fields` have them for machines */
  constructor(block: number, differences: readonly string[], fields: Readonly<Record<string, unknown>>) {
    const shown = differences.slice(0, 10).join("; ");
    const rest = differences.length > 10 ? `; and ${differences.length - 10} more` : "";
    super(`${differences.length} amounts differ at block ${block}: ${shown}${rest}`, fields);
  }
}

/** A keeper has left something undone in a fire drill, or somebody could not pay. */
export class DrillFailed extends CliError {
  readonly exitCode = EXIT.failed;

  /** @param faults each in words; `fields` have them for machines */
  constructor(faults: readonly string[], fields: Readonly<Record<string, unknown>>) {
    super(`the keeper has not passed: ${faults.join(", ")}`, fields);
  }
}

/** Nothing is known of such a liquidation. */
export class NoReport extends CliError {
  readonly exitCode = EXIT.failed;

  constructor(name: string) {
    super(`no liquidation is known by "${name}": give the hash of its transaction, or the id of a report`, { name });
  }
}

/** A report does not follow from its own inputs. */
export class ReportDiffers extends CliError {
  readonly exitCode = EXIT.failed;

  /** @param differing the names of the numbers */
  constructor(id: string, differing: readonly string[]) {
    super(`report ${id} does not follow from its inputs: ${differing.join(", ")} should be others`, { id, differing });
  }
}

/** The question was answered with no. */
export class Declined extends CliError {
  readonly exitCode = EXIT.failed;

  constructor() {
    super("nothing was done");
  }
}

/** Something is signed or sent, and no key was given. */
export class NoKey extends CliError {
  readonly exitCode = EXIT.usage;

  constructor() {
    super("this needs a key: --keystore FILE, or PRIVATE_KEY in the environment; to read only, name the --owner");
  }
}

/** A keystore file that cannot be read or opened. */
export class KeystoreUnusable extends CliError {
  readonly exitCode = EXIT.usage;

  constructor(file: string, reason: string) {
    super(`${file} cannot be used as a keystore: ${reason}`, { file });
  }
}

/** A file that cannot be read or written, or holds something else than it should. */
export class FileUnusable extends CliError {
  readonly exitCode = EXIT.usage;

  constructor(file: string, reason: string) {
    super(`${file}: ${reason}`, { file });
  }
}

/** What was signed is for another house. */
export class WrongVenue extends CliError {
  readonly exitCode = EXIT.usage;

  constructor(file: string, signed: { chainId: number; exchange: string }, connected: typeof signed) {
    super(
      `${file} was signed for the exchange ${signed.exchange} on chain ${signed.chainId}, not for ${connected.exchange} on chain ${connected.chainId}`,
      { file, signed, connected },
    );
  }
}

/** The command talks to a matcher, and none was named. */
export class NoMatcher extends CliError {
  readonly exitCode = EXIT.usage;

  constructor() {
    super("this needs a matcher: --matcher URL, or MATCHER in the environment");
  }
}

/** The signer's tokens do not suffice. Amounts are decimal numbers. */
export class InsufficientTokens extends CliError {
  readonly exitCode = EXIT.refused;

  constructor(symbol: string, holder: string, available: string, required: string) {
    super(`${holder} holds ${available} ${symbol}, ${required} are needed`, { symbol, holder, available, required });
  }
}

/** A position that is to be closed is not there. */
export class NoPosition extends CliError {
  readonly exitCode = EXIT.refused;

  constructor(account: string, market: string) {
    super(`the account ${account} has no position in ${market}`, { account, market });
  }
}

/** A claim of profit that would pay nothing. */
export class NothingPaid extends CliError {
  readonly exitCode = EXIT.refused;

  constructor(account: string, market: string, why: string) {
    super(`${account} would be paid nothing in ${market}: it ${why}`, { account, market });
  }
}

/** A dead-man switch that cannot be renewed or switched off as it stands. */
export class DeadManNotLive extends CliError {
  readonly exitCode = EXIT.refused;

  constructor(owner: string, state: "off" | "lapsed") {
    const why = state === "off" ? "is not set" : "has lapsed: dead-man set begins anew";
    super(`the dead-man switch of ${owner} ${why}`, { owner, state });
  }
}

/** An address that was never granted anything by this owner. */
export class UnknownSessionKey extends CliError {
  readonly exitCode = EXIT.refused;

  constructor(owner: string, key: string) {
    super(`${key} was never a key of ${owner}`, { owner, key });
  }
}

/** Nobody answers at the node's address. */
export class NodeUnreachable extends CliError {
  readonly exitCode = EXIT.unreachable;

  constructor(url: string, reason: string) {
    super(`no node answers at ${url} (${reason}); set --rpc-url or RPC_URL`, { url });
  }
}

/** No keeper answers at the address of --keeper, or something else does. */
export class KeeperUnreachable extends CliError {
  readonly exitCode = EXIT.unreachable;

  constructor(url: string) {
    super(`no keeper answers at ${url}; give --keeper the address that its server listens on, or leave it out`, {
      url,
    });
  }
}

/** The node has answered, and then no more. */
export class NodeSilent extends CliError {
  readonly exitCode = EXIT.unreachable;

  constructor(reason: string) {
    super(`the node has stopped answering (${reason}): what was sent may have been mined, look before you repeat it`);
  }
}
