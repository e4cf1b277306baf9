import type { Command } from "commander";

import { Endpoints } from "../../keeper/endpoints.ts";
import { Plimsoll } from "../../sdk/client.ts";
import { keysOf } from "../../sdk/history.ts";
import { formatWad, parseWad } from "../../sdk/units.ts";
import type { Signal, Watchlist } from "../../watcher/signals.ts";
import { RevocationWatcher } from "../../watcher/watcher.ts";
import { InvalidValue, OptionConflict } from "../errors.ts";
import { readSigned, SIGNED } from "../files.ts";
import { parseAddress } from "../names.ts";
import { facts, paragraphs } from "../output.ts";
import type { Report } from "../output.ts";
import { list } from "../program.ts";
import type { Perform } from "../program.ts";
import type { Session } from "../session.ts";

const GWEI = 10n ** 9n;

interface WatchOptions {
  readonly known?: readonly string[];
  readonly maxOutflow?: string;
  readonly maxNotional?: string;
  readonly fallbackRpc?: readonly string[];
  readonly pollInterval: string;
  readonly maxGasPrice: string;
}

/** Adds `guard watch` to the commands of a guard. */
export function guardWatchCommand(group: Command, perform: Perform): void {
  group
    .command("watch <revocation>")
    .description(
      "revoke all at the first sign of a stolen key, by what the owner has signed with key revoke-all --sign",
    )
    .option("--known <addresses>", "keys that the owner has granted or is going to; the living ones if left out", list)
    .option("--max-outflow <usd>", "most that leaves his accounts in an hour")
    .option("--max-notional <usd>", "most that his accounts trade in an hour")
    .option("--fallback-rpc <urls>", "further nodes", list)
    .option("--poll-interval <ms>", "between two looks at the chain", "250")
    .option("--max-gas-price <gwei>", "most that a unit of gas may cost", "1000")
    .action(perform(watch));
}

async function watch(session: Session, file: string, options: WatchOptions): Promise<Report> {
  const { book, config, shell, options: how } = session;
  const say = (line: string) => {
    if (how.json !== true) shell.err(`${line}\n`);
  };
  const paper = readSigned(file, SIGNED.keyPaper, book);
  if (paper.kind !== "revokeAll")
    throw new OptionConflict(`${file} revokes one key or grants one: sign key revoke-all`);
  const signer = await session.signer();
  if (signer.address === paper.owner) {
    throw new OptionConflict("the watcher must not hold the owner's key: give it one of its own");
  }
  const urls = [config.rpcUrl, ...(options.fallbackRpc ?? [])];
  const provider = new Endpoints({ urls, chainId: book.chainId });
  try {
    const house = await Plimsoll.connect(book, provider);
    const watchlist = await watchlistOf(house, paper.owner, options);
    const watcher = await RevocationWatcher.open({
      ...{ provider, addressBook: book, signer, watchlist, signature: paper.signature },
      pollInterval: whole("poll interval", options.pollInterval),
      maxGasPrice: BigInt(whole("gas price", options.maxGasPrice)) * GWEI,
      onTrouble: say,
    });
    say(`watching ${paper.owner}, who has ${watchlist.known.size} known keys`);
    const done = await watcher.run(new AbortController().signal);
    if (done === undefined) return { data: { revoked: null }, text: "ended" };
    const { signal, seen, revoked, hash } = done;
    return {
      data: { owner: paper.owner, signal: signalJson(signal), seen, revoked, transaction: hash ?? null },
      text: paragraphs(
        `Every order, intent and key of ${paper.owner} is revoked`,
        facts([
          ["because", inWords(signal)],
          ["in block", seen.toString()],
          ["revoked in block", revoked.toString()],
          ["transaction", hash ?? "somebody else's"],
        ]),
      ),
    };
  } finally {
    provider.destroy();
  }
}

async function watchlistOf(house: Plimsoll, owner: string, options: WatchOptions): Promise<Watchlist> {
  const { known, maxOutflow, maxNotional } = options;
  const living = async () => (await keysOf(house, owner)).filter(({ live }) => live).map(({ key }) => key);
  return {
    owner,
    known: new Set(known?.map((text) => parseAddress("known key", text)) ?? (await living())),
    ...(maxOutflow !== undefined && { maxOutflow: parseWad(maxOutflow) }),
    ...(maxNotional !== undefined && { maxNotional: parseWad(maxNotional) }),
  };
}

function inWords(signal: Signal): string {
  if (signal.kind === "unknownKey") return `the key ${signal.key}, which is not known, is ${signal.how}`;
  const what = signal.kind === "outflow" ? "left" : "was traded";
  return `${formatWad(signal.amount)} USD ${what} in an hour, ${formatWad(signal.limit)} are allowed`;
}

function signalJson(signal: Signal): object {
  if (signal.kind === "unknownKey") return signal;
  return { kind: signal.kind, amount: formatWad(signal.amount), limit: formatWad(signal.limit) };
}

function whole(what: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidValue(what, text, "give a whole number");
  return Number(text);
}
