import { accountId } from "../src/sdk/accountId.ts";
import type { Order, SignedOrder } from "../src/sdk/orders.ts";
import { parsePrice, parseWad } from "../src/sdk/units.ts";
import { ETH, type Fixture } from "../test/helpers/fixture.ts";
import type { Signer } from "./chain.ts";

export type Side = [owner: Signer, size: string, resting: boolean, key?: Signer, fields?: Partial<Order>];
export type Pairs = [maker: number, taker: number][];

const NONCES_PER_WORD = 4n;

/** Signs orders at 2,000, whose nonces lie in words that an earlier cancellation has started. */
export function orderBook(f: Fixture) {
  const used = new Map<string, bigint>();
  const nextNonce = async (owner: Signer): Promise<bigint> => {
    const last = used.get(owner.address) ?? -1n;
    const starts = last === -1n || last % NONCES_PER_WORD === NONCES_PER_WORD - 2n; // the last of a word is the cancelled one
    const nonce = last === -1n ? 0n : starts ? last + 2n : last + 1n;
    if (starts) await f.exchange.connect(owner).cancel(accountId(owner.address), [nonce + NONCES_PER_WORD - 1n]);
    used.set(owner.address, nonce);
    return nonce;
  };
  return async (sides: Side[]) => {
    const orders: SignedOrder[] = [];
    for (const [owner, size, resting, key = owner, fields = {}] of sides) {
      const nonce = await nextNonce(owner);
      const terms = { market: BigInt(ETH), limitPrice: parsePrice("2000"), nonce };
      const account = accountId(owner.address);
      orders.push(await f.order(key, { ...terms, account, size: parseWad(size), resting, ...fields }));
    }
    return orders;
  };
}

/** Matches by the places of their orders. */
export function pairsOf(matches: Pairs) {
  return matches.map(([maker, taker]) => ({ maker, taker }));
}
