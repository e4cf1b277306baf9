import { getAddress, isAddress } from "ethers";

/** Turns an unknown value, found at a path such as `markets[0].id`, into a `T`. */
export type Reader<T> = (value: unknown, path: string) => T;

/** A value that is not what its reader expects. */
export class Unreadable extends Error {
  constructor(path: string, expected: string) {
    super(`${path === "" ? "it" : path} must be ${expected}`);
    this.name = "Unreadable";
  }
}

/** An object with exactly these fields. */
export function fields<T extends object>(readers: { readonly [K in keyof T]-?: Reader<T[K]> }): Reader<T> {
  const entries = Object.entries<Reader<unknown>>(readers);
  return (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Unreadable(path, "an object");
    const at = (key: string) => (path === "" ? key : `${path}.${key}`);
    const stranger = Object.keys(value).find((key) => !(key in readers));
    if (stranger !== undefined) throw new Unreadable(at(stranger), "left out: nothing of that name is known");
    const found = value as Readonly<Record<string, unknown>>;
    const values = entries.map(([key, read]): [string, unknown] => [key, read(found[key], at(key))]);
    return Object.fromEntries(values.filter(([, field]) => field !== undefined)) as T;
  };
}

/** A field that may be left out. */
export function optional<T>(read: Reader<T>): Reader<T | undefined> {
  return (value, path) => (value === undefined ? undefined : read(value, path));
}

/** A list. */
export function list<T>(read: Reader<T>): Reader<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw new Unreadable(path, "a list");
    return value.map((item, i) => read(item, `${path}[${i}]`));
  };
}

/** A whole number within bounds. */
export function whole(least: number, most = Number.MAX_SAFE_INTEGER): Reader<number> {
  return (value, path) => {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most) return value;
    throw new Unreadable(path, `a whole number from ${least} to ${most}`);
  };
}

/** A text. */
export const text: Reader<string> = (value, path) => {
  if (typeof value === "string") return value;
  throw new Unreadable(path, "a text");
};

/** True or false. */
export const flag: Reader<boolean> = (value, path) => {
  if (typeof value === "boolean") return value;
  throw new Unreadable(path, "true or false");
};

/** An address, which is given its checksum. */
export const address: Reader<string> = (value, path) => {
  if (isAddress(value)) return getAddress(value);
  throw new Unreadable(path, "an address: 0x and 40 hexadecimal digits");
};
