import type { Command } from "commander";
import { MaxUint256 } from "ethers";

import { moveIn, moveOut, ownCash } from "../../risk/moves.ts";
import type { Movable } from "../../risk/moves.ts";
import type { Books } from "../../risk/types.ts";
import { ownerOf } from "../../sdk/accountId.ts";
import type { AddressBook } from "../../sdk/addressBook.ts";
import { ALL, depositCall, transferCall, withdrawCall } from "../../sdk/calls.ts";
import type { Asset } from "../../sdk/calls.ts";
import type { Plimsoll } from "../../sdk/client.ts";
import { formatAmount, fromWadDown, parseAmount, toWadDown } from "../../sdk/units.ts";
import { MockERC20__factory } from "../../../types/index.ts";
import { InsufficientTokens, InvalidValue } from "../errors.ts";
import { ownOrIntent } from "../authority.ts";
import { percent, usdUp } from "../format.ts";
import { parseAddress, parseAsset } from "../names.ts";
import type { Report } from "../output.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";
import { assess, effectOf } from "../standing.ts";
import type { Assessed } from "../standing.ts";
import { transact } from "../transact.ts";

const PERMIT_NOTE = `
Without --permit the vault is approved in a transaction of its own where its allowance is too small. With it permit and
deposit are one transaction: a permit of the token (ERC-2612, or DAI's, which allows all of it), or one of Permit2, which
the token has been approved for.`;

export function fundsCommands(program: Command, perform: Perform): void {
  program
    .command("deposit <amount> [asset]")
    .description("bring the signer's own tokens into an account; cash unless another asset is named")
    .option("--permit [kind]", "signs a permit instead of approving before: the token's own, or permit2")
    .addHelpText("after", PERMIT_NOTE)
    .action(perform(deposit));
  program
    .command("withdraw <amount> [asset]")
    .description('take cash or collateral out of an account, or "all"; cash beyond its own is borrowed')
    .option("--to <address>", "recipient; the owner")
    .action(perform(withdraw));
  program
    .command("transfer <amount> [asset]")
    .description('move cash or collateral, or "all" of it, to another account of the owner')
    .requiredOption("--to <account>", "receiving account, named as in --account")
    .action(perform(transfer));
}

async function deposit(
  session: Session,
  amount: string,
  symbol: string | undefined,
  options: { permit?: string | true },
): Promise<Report> {
  const permit = parsePermit(options.permit);
  const asset = parseAsset(symbol, session.book);
  const moved = parsePositive(amount, asset);
  const house = await session.signingHouse();
  const [id, { address }] = await Promise.all([session.account(), session.signer()]);
  await requireTokens(house, asset, address, moved);
  const permitted = permit === undefined ? undefined : await house.permittedDeposit(id, asset.symbol, amount, permit);
  const { account, house: state } = await house.view(id);
  const after = hypothetical({ account, house: state }, (books) =>
    moveIn(books, movable(session.book, asset), wad(moved, asset)),
  );
  return transact(session, house, {
    title: `deposit ${amount} ${asset.symbol} into ${session.accountName(id)}`,
    details: [
      ["from", address],
      ["into", `${session.accountName(id)} of ${ownerOf(id)}`],
      ...(permit === undefined ? [] : [["by a permit of", permit === "token" ? asset.symbol : "Permit2"] as const]),
    ],
    effects: [effectOf(id, assess(account, state), after, after)],
    accounts: [id],
    ...(permitted === undefined
      ? {
          call: depositCall(session.book, id, asset.symbol, amount),
          send: (client: Plimsoll) => client.deposit(id, asset.symbol, amount),
          rehearse: false,
        }
      : { call: permitted }),
  });
}

/** Whose permit is meant; none if the option is not there. @throws InvalidValue */
function parsePermit(kind: string | true | undefined): "token" | "permit2" | undefined {
  if (kind === undefined || kind === "permit2") return kind;
  if (kind === true || kind === "token") return "token";
  throw new InvalidValue("permit", kind, "give token or permit2, or nothing for the token's own");
}

async function withdraw(
  session: Session,
  amount: string,
  symbol: string | undefined,
  options: { to?: string },
): Promise<Report> {
  const asset = parseAsset(symbol, session.book);
  const units = parseLeaving(amount, asset);
  const house = await session.signingHouse();
  const id = await session.account();
  const to = options.to === undefined ? ownerOf(id) : parseAddress("recipient", options.to);
  const call = await ownOrIntent(session, house, withdrawCall(session.book, id, asset.symbol, amount, to), {
    ...{ name: "Withdraw", account: id, token: asset.token, amount: units, to },
  });
  await house.rehearse(call);
  const { account, house: state } = await house.view(id);
  const moved = leaving({ account, house: state }, session.book, asset, units);
  const after = hypothetical({ account, house: state }, (books) =>
    moveOut(books, movable(session.book, asset), wad(moved, asset)),
  );
  return transact(session, house, {
    title: `withdraw ${amount} ${asset.symbol} from ${session.accountName(id)}`,
    details: [
      ["from", `${session.accountName(id)} of ${ownerOf(id)}`],
      ["to", to],
      ...(await borrowing(house, { account, house: state }, asset, moved)),
    ],
    effects: [effectOf(id, assess(account, state), after, after)],
    accounts: [id],
    call,
    rehearse: false,
  });
}

async function transfer(
  session: Session,
  amount: string,
  symbol: string | undefined,
  options: { to: string },
): Promise<Report> {
  const asset = parseAsset(symbol, session.book);
  const units = parseLeaving(amount, asset);
  const house = await session.signingHouse();
  const [from, to] = await Promise.all([session.account(), session.account(options.to)]);
  const call = await ownOrIntent(session, house, transferCall(session.book, from, to, asset.symbol, amount), {
    ...{ name: "Transfer", from, to, token: asset.token, amount: units },
  });
  await house.rehearse(call);
  const [source, target] = await Promise.all([house.view(from), house.view(to)]);
  const what = movable(session.book, asset);
  const moved = leaving(source, session.book, asset, units);
  const sent = hypothetical(source, (books) => moveOut(books, what, wad(moved, asset)));
  const received = hypothetical(target, (books) => moveIn(books, what, wad(moved, asset)));
  return transact(session, house, {
    title: `transfer ${amount} ${asset.symbol} from ${session.accountName(from)} to ${session.accountName(to)}`,
    details: [["owner", ownerOf(from)], ...(await borrowing(house, source, asset, moved))],
    effects: [
      effectOf(from, assess(source.account, source.house), sent, sent),
      effectOf(to, assess(target.account, target.house), received, received),
    ],
    accounts: [from, to],
    call,
    rehearse: false,
  });
}

/** What cash that leaves is borrowed, beyond an account's own. */
async function borrowing(house: Plimsoll, books: Books, asset: Asset, units: bigint): Promise<[string, string][]> {
  if (asset.token !== house.addressBook.cash.token) return [];
  const borrowed = wad(units, asset) - ownCash(books);
  if (borrowed <= 0n) return [];
  const { borrowRate } = await house.lending();
  return [["borrows", `${usdUp(borrowed)} USD, at ${percent(borrowRate)} a year before it`]];
}

/** How an account would stand after a move. */
export function hypothetical({ account, house }: Books, move: (books: Books) => Books): Assessed {
  const after = move({ account, house });
  return assess(after.account, after.house);
}

/**
 * A positive human amount in the token's own units.
 * @throws InvalidAmount, InvalidValue
 */
export function parsePositive(amount: string, { decimals }: Pick<Asset, "decimals">): bigint {
  const units = parseAmount(amount, decimals);
  if (units <= 0n) throw new InvalidValue("amount", amount, "give a positive decimal number");
  return units;
}

/** A positive amount, or all there is. */
function parseLeaving(amount: string, asset: Asset): bigint {
  return amount === ALL ? MaxUint256 : parsePositive(amount, asset);
}

/** The units that leave: of cash "all" is what is lent too. */
function leaving(books: Books, book: AddressBook, asset: Asset, units: bigint): bigint {
  if (units !== MaxUint256) return units;
  const what = movable(book, asset);
  const all = what === "cash" ? ownCash(books) : (books.account.collaterals.get(what) ?? 0n);
  return fromWadDown(all, asset.decimals);
}

/** @throws InsufficientTokens */
export async function requireTokens(house: Plimsoll, asset: Asset, holder: string, units: bigint): Promise<void> {
  const balance = await MockERC20__factory.connect(asset.token, house.provider).balanceOf(holder);
  if (balance >= units) return;
  const [available, required] = [balance, units].map((amount) => formatAmount(amount, asset.decimals));
  throw new InsufficientTokens(asset.symbol, holder, available ?? "", required ?? "");
}

function movable(book: AddressBook, { symbol }: Asset): Movable {
  return book.collaterals.find((c) => c.symbol === symbol)?.id ?? "cash";
}

function wad(units: bigint, { decimals }: Asset): bigint {
  return toWadDown(units, decimals);
}
