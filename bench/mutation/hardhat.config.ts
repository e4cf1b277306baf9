import { defineConfig } from "hardhat/config";

import base from "../../hardhat.config.ts";

const MUTANT = BigInt(process.env.MUTANT ?? "0");
// What bounds gas costs more without an optimizer: such a test runs only if it is named.
const { TESTS } = process.env;
const CHOICE = TESTS === undefined ? { grep: " gas ", invert: true } : { grep: TESTS };

/** The project's configuration with the mutant under test as coinbase, for contracts that are compiled without an optimizer. */
export default defineConfig({
  ...base,
  test: { ...base.test, mocha: { ...base.test?.mocha, ...CHOICE } },
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
