import { verifyTypedData } from "ethers";
import type { Signer } from "ethers";
import { z } from "zod";

/** What a source says: the price of a pair at a time. */
export interface Price {
  /** such as "ETH/USD" */
  readonly pair: string;
  /** in units of 10^−decimals */
  readonly price: bigint;
  readonly decimals: number;
  /** [s] */
  readonly time: bigint;
}

/** A price and its source's signature. */
export interface SignedPrice extends Price {
  readonly signature: string;
}

const DOMAIN = { name: "Plimsoll price", version: "1" };
const TYPES = {
  Price: [
    { name: "pair", type: "string" },
    { name: "price", type: "int256" },
    { name: "decimals", type: "uint8" },
    { name: "time", type: "uint64" },
  ],
};

const integer = z
  .string()
  .regex(/^-?\d{1,76}$/)
  .transform((text) => BigInt(text));
const signedPrice = z.object({
  pair: z.string().min(1),
  price: integer,
  decimals: z.int().min(0).max(36),
  time: z.int().min(0).transform(BigInt),
  signature: z.string(),
});

/** Signs a price as its source: EIP-712 `Price(string pair,int256 price,uint8 decimals,uint64 time)` of the domain "Plimsoll price", "1". */
export async function signPrice(source: Signer, price: Price): Promise<SignedPrice> {
  return { ...price, signature: await source.signTypedData(DOMAIN, TYPES, price) };
}

/** Address of who has signed a price; `undefined` if nobody can have. */
export function signerOf({ signature, ...price }: SignedPrice): string | undefined {
  try {
    return verifyTypedData(DOMAIN, TYPES, price, signature);
  } catch {
    return undefined;
  }
}

/** Reads what a source has answered: `{"pair":"ETH/USD","price":"200000000000","decimals":8,"time":1700000000,"signature":"0x…"}`. */
export function parsePriceAnswer(answer: unknown): SignedPrice | undefined {
  return signedPrice.safeParse(answer).data;
}

/** A price as a source answers it. */
export function priceAnswer({ pair, price, decimals, time, signature }: SignedPrice): object {
  return { pair, price: price.toString(), decimals, time: Number(time), signature };
}
