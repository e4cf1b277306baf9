/** A candle file that cannot be opened. */
export class CandleFileUnreadable extends Error {
  readonly file: string;

  constructor(file: string, reason: string) {
    super(`cannot read the candle file ${file}: ${reason}`);
    this.name = "CandleFileUnreadable";
    this.file = file;
  }
}

/** A candle file whose first line does not name the columns. */
export class CandleColumnsWrong extends Error {
  readonly file: string;
  readonly found: string;

  constructor(file: string, found: string, expected: string) {
    super(`${file} must begin with the line "${expected}", but begins with "${found}"`);
    this.name = "CandleColumnsWrong";
    this.file = file;
    this.found = found;
  }
}

/** A candle file without a single candle. */
export class CandleFileEmpty extends Error {
  readonly file: string;

  constructor(file: string) {
    super(`${file} contains no candles`);
    this.name = "CandleFileEmpty";
    this.file = file;
  }
}

/** A line of a candle file that is no candle, or is out of order. */
export class CandleInvalid extends Error {
  readonly file: string;
  readonly line: number;

  constructor(file: string, line: number, reason: string) {
    super(`${file}, line ${line}: ${reason}`);
    this.name = "CandleInvalid";
    this.file = file;
    this.line = line;
  }
}

/** A candle file whose name does not say whose prices it holds. */
export class UnknownAsset extends Error {
  readonly file: string;

  constructor(file: string, assets: readonly string[]) {
    super(`cannot tell the asset of ${file}: its name must begin with ${assets.map((a) => `${a}-USD`).join(" or ")}`);
    this.name = "UnknownAsset";
    this.file = file;
  }
}

/** Two candle files for one asset. */
export class AssetRepeated extends Error {
  readonly asset: string;

  constructor(asset: string, files: readonly string[]) {
    super(`one file of ${asset} candles is enough: ${files.join(" and ")} both hold them`);
    this.name = "AssetRepeated";
    this.asset = asset;
  }
}

/** A candle file with a hole in which prices would stand still. */
export class CandlesMissing extends Error {
  readonly file: string;
  readonly after: number;
  readonly minutes: number;

  /** @param after start of the last minute before the hole [s] */
  constructor(file: string, after: number, minutes: number) {
    super(`${file} has nothing for ${minutes} minutes after minute ${after}: fill the gap, or cut the file there`);
    this.name = "CandlesMissing";
    [this.file, this.after, this.minutes] = [file, after, minutes];
  }
}

/** Candle files that share no minute. */
export class NoCommonMinutes extends Error {
  constructor(files: readonly string[]) {
    super(`${files.join(" and ")} have no minute in common`);
    this.name = "NoCommonMinutes";
  }
}

/** An option whose value is out of range. */
export class OptionInvalid extends Error {
  readonly option: string;
  readonly value: string;

  constructor(option: string, value: string, expected: string) {
    super(`--${option} must be ${expected}, not "${value}"`);
    this.name = "OptionInvalid";
    this.option = option;
    this.value = value;
  }
}

/** The local chain did not come up. */
export class ChainNotStarted extends Error {
  constructor(reason: string) {
    super(`anvil did not start: ${reason}`);
    this.name = "ChainNotStarted";
  }
}

/** A transaction of the replay was mined and failed. */
export class TransactionFailed extends Error {
  readonly what: string;

  constructor(what: string, reason: string) {
    super(`${what} failed: ${reason}`);
    this.name = "TransactionFailed";
    this.what = what;
  }
}

/** Nobody among those who take part is the keeper. */
export class NoKeeper extends Error {
  constructor() {
    super("nobody of the cast is the keeper");
    this.name = "NoKeeper";
  }
}
