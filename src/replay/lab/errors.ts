/** A scenario with mistakes; the message names each field and says what to put there. */
export class ScenarioInvalid extends Error {
  readonly problems: readonly string[];

  constructor(source: string, problems: readonly string[]) {
    super(`${source} cannot be played:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.name = "ScenarioInvalid";
    this.problems = problems;
  }
}

/** A transaction without which no replay can begin has failed. */
export class OpeningFailed extends Error {
  readonly what: string;

  constructor(what: string, reason: string) {
    super(`${what} failed: ${reason}; change the population, the fund or the parameters of the scenario`);
    this.name = "OpeningFailed";
    this.what = what;
  }
}

/** A file with the state of another run. */
export class StateForeign extends Error {
  readonly file: string;
  readonly found: string;
  readonly expected: string;

  constructor(file: string, found: string, expected: string) {
    super(`${file} holds another run (${found} instead of ${expected}): give each run a --state file of its own`);
    this.name = "StateForeign";
    [this.file, this.found, this.expected] = [file, found, expected];
  }
}

/** A state file that does not lead to the block that it says, or no state file. */
export class StateBroken extends Error {
  readonly file: string;

  constructor(file: string, reason: string) {
    super(`${file} cannot be gone on from: ${reason}; delete it to begin anew`);
    this.name = "StateBroken";
    this.file = file;
  }
}

/** A replay was stopped before its end. */
export class ReplayStopped extends Error {
  readonly minute: number;
  readonly minutes: number;

  constructor(minute: number, minutes: number) {
    super(`stopped after minute ${minute} of ${minutes}: the same command goes on from there`);
    this.name = "ReplayStopped";
    [this.minute, this.minutes] = [minute, minutes];
  }
}

/** The books do not add up at the end of a replay. */
export class InvariantsBroken extends Error {
  readonly findings: readonly string[];

  constructor(findings: readonly string[]) {
    super(`the books do not add up at the end:\n${findings.map((finding) => `  ${finding}`).join("\n")}`);
    this.name = "InvariantsBroken";
    this.findings = findings;
  }
}
