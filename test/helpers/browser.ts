import { existsSync } from "node:fs";

import { chromium } from "playwright-core";
import type { Browser } from "playwright-core";

/** Where Debian, other Linuxes and macOS keep Chromium or Chrome. */
const USUAL_PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/snap/bin/chromium",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** There is no browser to test in. */
export class BrowserMissing extends Error {
  readonly places: readonly string[];

  constructor(places: readonly string[]) {
    super(`no Chromium at ${places.join(", ")}: apt-get install chromium, or set CHROMIUM to its path`);
    this.name = "BrowserMissing";
    this.places = places;
  }
}

/** Path of the browser: what CHROMIUM says, or the first of the usual places that has one. */
export function browserPath(wanted = process.env["CHROMIUM"], usual: readonly string[] = USUAL_PLACES): string {
  const places = wanted === undefined ? usual : [wanted];
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw new BrowserMissing(places);
  return found;
}

/** Starts a real browser without a window. */
export async function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: browserPath() });
}
