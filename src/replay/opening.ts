import type { AccountState, HouseState } from "../risk/types.ts";
import type { AddressBook } from "../sdk/addressBook.ts";
import { ASSETS } from "./path.ts";
import type { Asset } from "./path.ts";
import { baseSize, marketOf, priceOf, wholeLots } from "./venue.ts";
import type { Answers, Deal, Party } from "./venue.ts";

const SPREAD = 500n; // [ppm] what a market maker keeps from the index
const PPM = 1_000_000n;
const WAD = 10n ** 18n;

interface Wish {
  party: Party;
  left: bigint; // [wad]
}

/**
 * Pairs what everybody wants to trade: buyers with sellers at the index, the rest with market makers in turn, at their spread.
 * Sellers and market makers rest.
 */
export function pair(parties: readonly Party[], answers: Answers): Deal[] {
  const makers = parties.filter((p) => p.kind === "market maker");
  return ASSETS.flatMap((asset) => pairOne(asset, parties, makers, answers));
}

function pairOne(asset: Asset, parties: readonly Party[], makers: readonly Party[], answers: Answers): Deal[] {
  const price = priceOf(answers[asset]);
  const wishes = parties.map((party) => ({ party, size: baseSize(party.position[asset], asset, answers) }));
  const buyers: Wish[] = wishes.filter((w) => w.size > 0n).map(({ party, size }) => ({ party, left: size }));
  const sellers: Wish[] = wishes.filter((w) => w.size < 0n).map(({ party, size }) => ({ party, left: -size }));
  const deals: Deal[] = [];
  for (const buyer of buyers) {
    for (const seller of sellers) {
      const size = buyer.left < seller.left ? buyer.left : seller.left;
      if (size === 0n) continue;
      deals.push({ asset, maker: seller.party, taker: buyer.party, size, price });
      buyer.left -= size;
      seller.left -= size;
    }
  }
  const rest = [...buyers.map((w) => ({ ...w, sign: 1n })), ...sellers.map((w) => ({ ...w, sign: -1n }))];
  rest
    .filter((w) => w.left !== 0n)
    .forEach(({ party, left, sign }, i) => {
      deals.push(...quote(asset, party, sign * left, price, makers, i));
    });
  return deals;
}

/** What a market maker, whose turn it is, makes of a wish to buy `size` [wad] (negative: sell). */
export function quote(
  asset: Asset,
  taker: Party,
  size: bigint,
  index: bigint,
  makers: readonly Party[],
  turn: number,
): Deal[] {
  const maker = makers[turn % makers.length];
  if (maker === undefined) return [];
  const price = (index * (size > 0n ? PPM + SPREAD : PPM - SPREAD)) / PPM;
  return [{ asset, maker, taker, size, price }];
}

/** What takes a party's exposure to each asset, collateral included, back to zero through market makers. */
export function hedge(
  party: Party,
  account: AccountState,
  house: HouseState,
  book: AddressBook,
  makers: readonly Party[],
  answers: Answers,
  turn: number,
): Deal[] {
  return ASSETS.flatMap((asset) => {
    let exposure = account.positions.get(marketOf(book, asset))?.size ?? 0n;
    for (const [id, balance] of account.collaterals) {
      const { underlying, rate = 0n } = house.collaterals.get(id) ?? { underlying: -1 };
      if (book.underlyings[underlying]?.name === asset) exposure += (balance * rate) / WAD;
    }
    const size = -wholeLots(exposure, asset);
    return size === 0n ? [] : quote(asset, party, size, priceOf(answers[asset]), makers, turn);
  });
}
