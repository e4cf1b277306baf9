import { MissingTransport } from "../src/keeper/channels.ts";
import { ForeignCheckpoint } from "../src/keeper/checkpoint.ts";
import { InvalidKeeperConfig, KEEPER_SETTINGS, parseKeeperConfig, SECRET_SETTINGS } from "../src/keeper/config.ts";
import { DatabaseError, UnknownDatabase } from "../src/keeper/database.ts";
import { NoEndpoint, NotDeployed } from "../src/keeper/endpoints.ts";
import { UnusableSigner } from "../src/keeper/signer.ts";
import { runKeeper } from "../src/keeper/start.ts";
import { TakerKeyTooWide, UnusableTaker } from "../src/keeper/takerKey.ts";
import { InvalidAddressBook } from "../src/sdk/addressBook.ts";
import { WrongChain } from "../src/sdk/client.ts";
import { loadAddressBook } from "../src/sdk/node.ts";
import { runProgram } from "./program.ts";

await runProgram({
  name: "keeper",
  description: "Liquidates, settles and keeps the books of a house current.",
  settings: KEEPER_SETTINGS,
  secrets: SECRET_SETTINGS,
  configure: parseKeeperConfig,
  run: (config, logger, signal) => runKeeper(config, loadAddressBook(config.addressBook), logger, signal),
  mendable: [
    ...[InvalidKeeperConfig, InvalidAddressBook, UnusableSigner, MissingTransport, UnusableTaker, TakerKeyTooWide],
    ...[DatabaseError, UnknownDatabase, ForeignCheckpoint, NoEndpoint, NotDeployed, WrongChain],
  ],
});
