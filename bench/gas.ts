import Table from "cli-table3";

import { measureGas } from "./measure.ts";
import { LIMITS, writeSnapshot } from "./snapshot.ts";

const mock = await measureGas(false);
const proxy = await measureGas(true);
const table = new Table({
  style: { head: [], border: [] },
  head: ["gas", "mock feed", "real proxy", "limit"],
  colAligns: ["left", "right", "right", "right"],
});
const show = (gas: number | undefined) => gas?.toLocaleString("en-US") ?? "–";
for (const [name, gas] of Object.entries(mock)) table.push([name, show(gas), show(proxy[name]), show(LIMITS[name])]);
console.log(table.toString());
writeSnapshot({ mock, proxy });
console.log("Written to bench/gas.json.");
