import { buildSdk } from "../packages/sdk/build.ts";

await buildSdk();
