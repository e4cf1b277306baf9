import { writeFileSync } from "node:fs";

import { contractErrorsSource, FILE } from "../src/sdk/npm/contractErrors.ts";

writeFileSync(FILE, await contractErrorsSource());
