import { defineConfig } from "hardhat/config";

import base from "../../hardhat.config.ts";

const MUTANT = BigInt(process.env.MUTANT ?? "0");

/** The project's configuration with the mutant under test as coinbase, for contracts that are compiled without an optimizer. */
export default defineConfig({
  ...base,
  test: { ...base.test, mocha: { ...base.test?.mocha, grep: " gas ", invert: true } }, // what it bounds costs more without an optimizer
  networks: {
    ...base.networks,
    default: {
      type: "edr-simulated",
      hardfork: "cancun",
      coinbase: `0x${MUTANT.toString(16).padStart(40, "0")}`,
      allowUnlimitedContractSize: true,
      blockGasLimit: 10_000_000_000n,
    },
  },
});
