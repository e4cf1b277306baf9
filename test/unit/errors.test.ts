import { expect } from "chai";
import { Interface } from "ethers";
import hre from "hardhat";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

const INTERFACES = [
  "IVault",
  "IClearingHouseCore",
  "IClearingHouseExt",
  "IExchange",
  "ISessionKeys",
  "IIntents",
  "IRiskEngine",
  "IPriceOracle",
  "IInsuranceFund",
];

describe("typed errors", () => {
  const sources = readdirSync(import.meta.dirname)
    .filter((file) => file !== "errors.test.ts")
    .map((file) => readFileSync(path.join(import.meta.dirname, file), "utf8"))
    .join("\n");

  for (const name of INTERFACES) {
    it(`MAS-7 every error of ${name} is asserted by a unit test`, async () => {
      const { abi } = await hre.artifacts.readArtifact(name);
      const declared: string[] = [];
      new Interface(abi).forEachError(({ name: error }) => declared.push(error));
      const inherited = (error: string) => error.startsWith("ERC20") || error.startsWith("ERC4626");
      const reachable = declared.filter((error) => !inherited(error));
      const missing = reachable.filter((error) => !sources.includes(`"${error}"`));
      expect(missing).to.deep.equal([]);
    });
  }
});
