import type { Operation } from "./plimsoll.ts";

/** The parameters are for another chain than the one connected to. */
export class ChainMismatch extends Error {
  readonly connected: number;
  readonly configured: number;

  constructor(connected: number, configured: number) {
    super(
      `connected to chain ${connected}, but the parameters are for chain ${configured}: choose the parameter file of this network (--parameters FILE)`,
    );
    this.name = "ChainMismatch";
    this.connected = connected;
    this.configured = configured;
  }
}

/** Mock tokens or feeds were asked for on a network that is not local. */
export class MocksOnRealNetwork extends Error {
  readonly chainId: number;
  readonly mocks: readonly string[];

  constructor(chainId: number, mocks: readonly string[]) {
    super(`chain ${chainId} is not local: give the addresses of ${mocks.join(", ")} instead of mock values`);
    this.name = "MocksOnRealNetwork";
    this.chainId = chainId;
    this.mocks = mocks;
  }
}

/** Libraries call each other in a circle, so that none of them could be deployed first. */
export class CircularLibraries extends Error {
  readonly libraries: readonly string[];

  constructor(libraries: readonly string[]) {
    super(
      `${libraries.join(" → ")}: make the functions that close the circle internal, or move them to another library`,
    );
    this.name = "CircularLibraries";
    this.libraries = libraries;
  }
}

/** The network has no account that could send. */
export class NoDeployer extends Error {
  readonly chainId: number;

  constructor(chainId: number) {
    super(`no account to deploy from on chain ${chainId}: configure one under networks.*.accounts`);
    this.name = "NoDeployer";
    this.chainId = chainId;
  }
}

/** Something differs from what stands on the chain, and the sender may not change it: whoever governs has to. */
export class NoAdmin extends Error {
  readonly sender: string;
  readonly changes: readonly string[];
  /** The calls that governance has to make, in order. */
  readonly operations: readonly Operation[];

  constructor(sender: string, operations: readonly Operation[]) {
    const changes = operations.map(({ label }) => label);
    super(`${sender} is not admin; governance has to change: ${changes.join(", ")}`);
    this.name = "NoAdmin";
    this.sender = sender;
    this.changes = changes;
    this.operations = operations;
  }
}

/** A real network was to be deployed to without saying who governs it. */
export class NoGovernance extends Error {
  readonly chainId: number;

  constructor(chainId: number) {
    super(
      `chain ${chainId} is not local: say in the parameter file who governs it (governance: governor, guardian, steward, delays)`,
    );
    this.name = "NoGovernance";
    this.chainId = chainId;
  }
}

/** The deployer would keep power over prices after it has handed over the rest. */
export class DeployerOwnsFeed extends Error {
  readonly feeds: readonly string[];

  constructor(deployer: string, feeds: readonly string[]) {
    super(
      `${deployer} owns the feeds ${feeds.join(", ")}: transfer them to the governor (transferOwnership, and acceptOwnership by him) and run the deployment again`,
    );
    this.name = "DeployerOwnsFeed";
    this.feeds = feeds;
  }
}

/** No parameter file was found for a network. */
export class NoParameters extends Error {
  readonly file: string;

  constructor(file: string) {
    super(
      `there is no parameter file ${file}: copy deploy/networks/example.ts to it, or name one with --parameters FILE`,
    );
    this.name = "NoParameters";
    this.file = file;
  }
}
