import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

import Table from "cli-table3";
import { Command } from "commander";
import { network } from "hardhat";

import { resolveNetwork } from "./config.ts";
import { NoAdmin, NoParameters } from "./errors.ts";
import { deployPlimsoll } from "./plimsoll.ts";
import type { Deployment } from "./plimsoll.ts";

interface Options {
  network: string;
  parameters?: string;
  addressBook?: string;
  deploymentId?: string;
  operations: string;
  url?: string;
}

const options = new Command("deploy")
  .description("Deploys the house, or resumes or updates it where it is deployed already.")
  .option("--network <name>", "network of hardhat.config.ts", "localhost")
  .option("--url <url>", "another node of that network")
  .option("--parameters <file>", "parameter file; deploy/networks/<network>.ts, or local.ts for a local network")
  .option("--address-book <file>", "where the addresses go; deploy/addresses/<chainId>.json")
  .option("--deployment-id <name>", "folder under deploy/deployments/ that keeps the progress; chain-<chainId>")
  .option("--operations <file>", "where the calls go that only governance can make", "operations.json")
  .parse()
  .opts<Options>();

try {
  await deploy();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (error instanceof NoAdmin) console.error(handedOn(error));
  process.exitCode = 1;
}

/** Writes down what governance has to do, and says how it does that. */
function handedOn({ operations }: NoAdmin): string {
  writeFileSync(options.operations, `${JSON.stringify(operations, undefined, 2)}\n`);
  return `written to ${options.operations}: schedule them with plimsoll governance propose ${options.operations}`;
}

async function deploy(): Promise<void> {
  const connection = await network.create({
    network: options.network,
    ...(options.url !== undefined && { override: { url: options.url } }),
  });
  try {
    const deployment = await deployPlimsoll(connection, await readParameters(options), {
      ...(options.addressBook !== undefined && { addressBook: options.addressBook }),
      ...(options.deploymentId !== undefined && { deploymentId: options.deploymentId }),
    });
    console.log(summary(deployment));
  } finally {
    await connection.close();
  }
}

async function readParameters({ network: name, parameters }: Options) {
  const local = name === "localhost" || name === "default";
  const file = parameters ?? path.join(import.meta.dirname, "networks", `${local ? "local" : name}.ts`);
  if (!existsSync(file)) throw new NoParameters(file);
  const module = (await import(pathToFileURL(path.resolve(file)).href)) as { default: unknown };
  return resolveNetwork(module.default);
}

function summary({ addressBook, automation, file, changes, transactions }: Deployment): string {
  const { contracts, governance } = addressBook;
  const table = new Table({ head: ["what", "address"], style: { head: [], border: [] } });
  for (const [name, address] of Object.entries({ ...contracts, ...governance, ...automation }))
    table.push([name, address]);
  for (const { symbol, token } of [addressBook.cash, ...addressBook.collaterals]) table.push([symbol, token]);
  for (const { name, feed } of addressBook.underlyings) table.push([`${name} / USD feed`, feed]);
  const done = transactions === 0 ? "nothing to do" : `${transactions} transactions`;
  const set = changes.length === 0 ? "" : `; set: ${changes.join(", ")}`;
  return `${table.toString()}\nchain ${addressBook.chainId}: ${done}${set}${file === undefined ? "" : `\naddress book: ${file}`}`;
}
