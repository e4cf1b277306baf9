import { buildSdk } from "../src/sdk/npm/build.ts";

await buildSdk();
