import { writeFileSync } from "node:fs";
import path from "node:path";

import { contractErrorsSource } from "../packages/sdk/contractErrors.ts";

writeFileSync(path.join(import.meta.dirname, "../src/sdk/contractErrors.ts"), await contractErrorsSource());
