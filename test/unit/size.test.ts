import { expect } from "chai";
import hre from "hardhat";

const LIMIT = 24_576; // EIP-170

describe("code size", () => {
  it("no contract exceeds the limit of the main network", async () => {
    const names = [...(await hre.artifacts.getAllFullyQualifiedNames())].filter((n) => n.startsWith("contracts/"));
    const sizes = await Promise.all(
      names.map(async (name) => {
        const { deployedBytecode } = await hre.artifacts.readArtifact(name);
        return { name, bytes: (deployedBytecode.length - 2) / 2 };
      }),
    );
    expect(sizes.filter(({ bytes }) => bytes > 10_000).map(({ name }) => name)).to.include.members([
      "contracts/ClearingHouse.sol:ClearingHouse",
      "contracts/libraries/Liquidation.sol:Liquidation",
    ]);
    expect(sizes.filter(({ bytes }) => bytes > LIMIT)).to.deep.equal([]);
  });
});
