/** Candles that are too short to fit anything to. */
export class HistoryTooShort extends Error {
  readonly asset: string;
  readonly minutes: number;
  readonly needed: number;

  constructor(asset: string, minutes: number, needed: number) {
    super(
      `${asset}: ${minutes} minutes to fit to or to test on, besides those that start the average of σ, ${needed} are needed at least; give more candles, or a shorter --horizon or --sale`,
    );
    this.name = "HistoryTooShort";
    [this.asset, this.minutes, this.needed] = [asset, minutes, needed];
  }
}

/** A parameter that the contracts would not take. */
export class ParameterOutOfBounds extends Error {
  readonly of: string;
  readonly parameter: string;
  readonly value: bigint;
  readonly min: bigint;
  readonly max: bigint;

  constructor(of: string, parameter: string, value: bigint, min: bigint, max: bigint) {
    super(
      `${parameter} of ${of} would be ${value}, and the contracts take ${min} to ${max}: calibrate on other candles, or change what bounds it first`,
    );
    this.name = "ParameterOutOfBounds";
    [this.of, this.parameter] = [of, parameter];
    [this.value, this.min, this.max] = [value, min, max];
  }
}

/** A file that holds no proposal. */
export class ProposalMalformed extends Error {
  readonly file: string;

  constructor(file: string, reason: string) {
    super(`${file} is no proposal of plimsoll calibrate: ${reason}`);
    this.name = "ProposalMalformed";
    this.file = file;
  }
}

/** A proposal that is not what its hash was made of. */
export class ProposalChanged extends Error {
  readonly stated: string;
  readonly computed: string;

  constructor(stated: string, computed: string) {
    super(`the proposal states the hash ${stated}, but its own is ${computed}: it was changed, do not use it`);
    this.name = "ProposalChanged";
    [this.stated, this.computed] = [stated, computed];
  }
}

/** A proposal that who is named has not signed. */
export class ProposalSignatureWrong extends Error {
  readonly signer: string;
  readonly recovered: string | undefined;

  constructor(signer: string, recovered: string | undefined) {
    super(`${signer} has not signed this proposal: ${recovered ?? "nobody"} has; ask for a signed one`);
    this.name = "ProposalSignatureWrong";
    [this.signer, this.recovered] = [signer, recovered];
  }
}

/** A proposal for another house. */
export class ProposalForAnotherHouse extends Error {
  readonly proposed: string;
  readonly connected: string;

  constructor(proposed: string, connected: string) {
    super(`the proposal is for ${proposed}, this house is ${connected}: choose its --address-book`);
    this.name = "ProposalForAnotherHouse";
    [this.proposed, this.connected] = [proposed, connected];
  }
}

/** A proposal that names one thing and changes another. */
export class ProposalMisnamed extends Error {
  readonly of: string;
  readonly listed: string;

  constructor(kind: string, of: string, listed: string) {
    super(`the proposal says ${kind} of ${of}, but what it changes is ${listed}: do not use it`);
    this.name = "ProposalMisnamed";
    [this.of, this.listed] = [of, listed];
  }
}

/** Candles of something that the house does not list. */
export class UnderlyingNotListed extends Error {
  readonly asset: string;

  constructor(asset: string) {
    super(`the house lists no underlying ${asset}: leave its candles out`);
    this.name = "UnderlyingNotListed";
    this.asset = asset;
  }
}

/** Candles of the same minutes twice: what is fitted to would be tested on. */
export class WindowsOverlap extends Error {
  readonly files: readonly string[];

  constructor(files: readonly string[]) {
    super(`${files.join(" and ")} hold candles of the same minutes: give each minute once`);
    this.name = "WindowsOverlap";
    this.files = files;
  }
}
