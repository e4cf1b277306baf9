import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { expect } from "chai";
import type { Browser, Page } from "playwright-core";

import { table } from "../../src/cli/output.ts";
import {
  comparisonCsv,
  comparisonJson,
  comparisonMarkdown,
  comparisonTable,
  seriesCsv,
  verdict,
} from "../../src/replay/lab/comparison.ts";
import { comparisonPage } from "../../src/replay/lab/page.ts";
import type { Comparison, Totals } from "../../src/replay/lab/result.ts";
import { BrowserMissing, browserPath, startBrowser } from "../helpers/browser.ts";
import { labRuns } from "../helpers/labRuns.ts";

const MINUTES = 150; // few enough for every minute to be drawn
const PLOTS = 8;
const LINES = 3 * (5 + 2 * 3); // of three runs: five plots with one line, three with another one beside it

/** The comparison of one run with such totals. */
function only(totals: Partial<Totals>): Comparison {
  const { title, runs } = labRuns(2);
  const [first] = runs;
  return { title, runs: [{ ...first!, totals: { ...first!.totals, ...totals } }] };
}

describe("Page of the replay lab, in a real browser", function () {
  this.timeout(60_000);

  const folder = mkdtempSync(path.join(tmpdir(), "lab-page-"));
  let browser: Browser;
  let page: Page;
  const troubles: string[] = [];
  const requests: string[] = [];

  /** Opens a comparison from a file, noting whatever goes wrong or leaves the page. */
  async function open(comparison: Comparison, options: Parameters<Browser["newPage"]>[0] = {}): Promise<string> {
    const file = path.join(folder, "comparison.html");
    writeFileSync(file, comparisonPage(comparison));
    page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
    page.on("console", (message) => troubles.push(message.text()));
    page.on("pageerror", (error) => troubles.push(error.message));
    page.on("request", (request) => requests.push(request.url()));
    const url = pathToFileURL(file).href;
    await page.goto(url);
    return url;
  }

  /** The points that a path goes through. */
  async function pointsOf(selector: string): Promise<string[][]> {
    const paths = await page.locator(selector).all();
    const drawn = await Promise.all(paths.map((line) => line.getAttribute("d")));
    return drawn.map((d) => d!.slice(1).split("L"));
  }

  /** The cells of the row with this name. */
  async function row(name: string): Promise<string[]> {
    const lines = page.locator("table.sides tr").filter({ has: page.getByText(name, { exact: true }) });
    return lines.locator("td").allTextContents();
  }

  before(async () => {
    browser = await startBrowser();
  });

  after(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  afterEach(async () => {
    await page.close();
    expect(troubles.splice(0)).to.deep.equal([]);
    requests.length = 0;
  });

  it("needs nothing but its file", async () => {
    const url = await open(labRuns(MINUTES));
    expect(requests).to.deep.equal([url]);
    expect(await page.title()).to.equal("Three policies");
    expect(await page.content()).not.to.match(/NaN|undefined|Infinity/);
  });

  it("says what was run and what reached beyond the fund", async () => {
    await open(labRuns(MINUTES));
    const head = await page.locator("header").textContent();
    expect(head).to.contain("ETH and BTC of a made-up crash · 2018-01-16 00:00 to 2018-01-16 02:29 UTC");
    expect(head).to.contain("2,000 accounts · seed 7").and.to.contain("1 of 3 beyond the fund");
    expect(await page.locator(".lead").textContent()).to.equal(
      "1 of 3 runs reached beyond the insurance fund: whole account by $12,346.",
    );
    expect(await page.locator(".hash").allTextContents()).to.include(`0x${"4".repeat(64)}`);
  });

  it("MBS-3 CRA-4 shows the runs side by side and marks the best", async () => {
    await open(labRuns(MINUTES));
    expect(await page.locator("table.sides thead th").allTextContents()).to.deep.equal([
      ...["measure", "slices", "half, <50 %>", "whole account"],
    ]);
    expect(await row("deficits of bankrupt accounts")).to.deep.equal(["$4,000 (best)", "$40,000", "$412,346"]);
    expect(await row("socialised to the other side")).to.deep.equal(["$0 (best)", "$0 (best)", "$10,000"]);
    expect(await row("bad debt at the end")).to.deep.equal(["$0 (best)", "$0 (best)", "$2,000"]);
    expect(await row("its p-value")).to.deep.equal(["0.069", "0.069", "0.069"]);
    expect(await row("fund at the end")).to.deep.equal(["$1,006,400", "$978,000", "$630,000"]);
    // 4.5 / 4, 9 / 4 and 18 / 4.5
    expect(await row("liquidated against the minimum")).to.deep.equal(["1.13 × (best)", "2.25 ×", "4.00 ×"]);
    expect(await row("breach to above MM, 99 %")).to.deep.equal(["1 h 2 min", "50 min (best)", "–"]);
    expect(await row("breach to first slice, median")).to.deep.equal(["12 s", "12 s", "12 s"]);
    // 8,000 · (1 − 0.995)
    expect(await row("as many as the confidence allows")).to.deep.equal(["40.0", "40.0", "40.0"]);
    expect(await page.locator('table.sides th[scope="row"]').count()).to.equal(
      (await page.locator("table.sides tbody tr").count()) - 5,
    );
  });

  it("draws every minute of every run in every plot", async () => {
    const { runs } = labRuns(MINUTES);
    await open({ title: "Three policies", runs });
    expect(await page.locator('.plots svg[role="img"][aria-label]').count()).to.equal(PLOTS);
    const lines = await pointsOf(".plots .line");
    expect(lines).to.have.length(LINES);
    for (const points of lines) expect(points).to.have.length(MINUTES);
    for (const box of await Promise.all((await page.locator(".plots svg").all()).map((svg) => svg.boundingBox()))) {
      expect(box!.width).to.be.above(400);
      expect(box!.height).to.be.above(100);
    }
  });

  it("draws of thousands of minutes some hundred points, the lowest and the highest among them", async () => {
    const { title, runs } = labRuns(2_880);
    const [first] = runs;
    const spiked = first!.series.belowMaintenance.map((count, i) => (i === 1_234 ? 80 : Math.min(count, 40)));
    await open({ title, runs: [{ ...first!, series: { ...first!.series, belowMaintenance: spiked } }] });
    const [points] = await pointsOf(".plots .panel:nth-child(3) .line");
    expect(points).to.have.length.within(150, 720);
    // the axis goes from 0 at the bottom, 220 − 24, to 100 at the top, 22: 196 − 0.8 · 174 = 56.8
    const heights = points!.map((point) => Number(point.split(" ")[1]));
    expect(Math.min(...heights)).to.equal(56.8);
    expect(Math.max(...heights)).to.equal(196);
  });

  it("hides the run whose entry of the legend is clicked, and stretches the axis to the others", async () => {
    await open(labRuns(MINUTES));
    const lines = page.locator(".plots .line:not(.dashed)"); // a level line has no height, which counts as invisible
    const notional = page.locator(".plots .panel:nth-child(4)");
    const ticks = async () => (await notional.locator(".tick.y").allTextContents()).at(-1);
    expect(await lines.filter({ visible: true }).count()).to.equal(3 * PLOTS);
    expect(await ticks()).to.equal("$20 M");

    await page.getByRole("checkbox", { name: "whole account" }).click();
    expect(await lines.filter({ visible: true }).count()).to.equal(2 * PLOTS);
    expect(await page.locator(".plots .run-2").filter({ visible: true }).count()).to.equal(0);
    expect(await ticks()).to.equal("$10 M"); // $9 M is what is left, twice $10 M would not fit

    await page.getByRole("checkbox", { name: "whole account" }).click();
    expect(await lines.filter({ visible: true }).count()).to.equal(3 * PLOTS);
    expect(await ticks()).to.equal("$20 M");
  });

  it("tells time and values under the cursor, of the runs that are shown", async () => {
    await open(labRuns(MINUTES));
    await page.getByRole("checkbox", { name: "half" }).click();
    const svg = page.locator(".plots .panel:nth-child(4) svg");
    await svg.scrollIntoViewIfNeeded();
    const box = (await svg.boundingBox())!;
    // the last minute: the right end of the plot is 14 of 560 from the right
    await page.mouse.move(box.x + box.width * (1 - 14 / 560) - 0.1, box.y + box.height / 2);
    expect(await page.locator("#tip > *").allTextContents()).to.deep.equal([
      "2018-01-16 02:29",
      ...["slices  $4,500,000", "slices, minimum  $4,000,000"],
      ...["whole account  $18,000,000", "whole account, minimum  $4,500,000"],
    ]);
    await page.mouse.move(0, 0);
    expect(await page.locator("#tip").isVisible()).to.equal(false);
  });

  it("is light or dark as the reader's system is, with lines that can be told apart", async () => {
    const shades: Record<string, unknown[]> = {};
    const style = (selector: string, property: string) =>
      page.evaluate(`getComputedStyle(document.querySelector("${selector}")).getPropertyValue("${property}")`);
    for (const colorScheme of ["light", "dark"] as const) {
      await open(labRuns(MINUTES), { colorScheme });
      shades[colorScheme] = await Promise.all([
        ...["body", "section"].map((part) => style(part, "background-color")),
        ...[0, 1, 2].map((run) => style(`.plots .run-${run}`, "stroke")),
      ]);
    }
    expect(shades["light"]).to.deep.equal([
      ...["rgb(245, 246, 248)", "rgb(255, 255, 255)"],
      ...["rgb(29, 111, 184)", "rgb(217, 119, 6)", "rgb(21, 128, 61)"],
    ]);
    expect(shades["dark"]).to.deep.equal([
      ...["rgb(13, 20, 28)", "rgb(21, 31, 42)"],
      ...["rgb(90, 176, 245)", "rgb(245, 167, 66)", "rgb(74, 222, 128)"],
    ]);
  });

  it("fits a phone: nothing but the tables scrolls sideways", async () => {
    await open(labRuns(MINUTES), { viewport: { width: 400, height: 800 } });
    expect(await page.evaluate("document.documentElement.scrollWidth")).to.equal(400);
    expect((await page.locator(".plots svg").first().boundingBox())!.width).to.be.above(320);
  });
});

describe("Where there is no browser", () => {
  it("says how to get one", () => {
    expect(() => browserPath("/nowhere/chromium"))
      .to.throw(BrowserMissing, "apt-get install chromium, or set CHROMIUM")
      .with.deep.property("places", ["/nowhere/chromium"]);
    expect(() => browserPath(undefined, [])).to.throw(BrowserMissing);
  });
});

describe("Comparison of runs", () => {
  it("tells in a sentence whether losses reached beyond the fund", () => {
    const whole = { socialised: 0, fromLenders: 0, badDebt: 0, openDeficits: 0, openBeyondFund: 0 };
    expect(verdict(only({ ...whole, deficits: 0, fromFund: 0 }))).to.equal("No account went bankrupt in any run.");
    expect(verdict(only({ ...whole, deficits: 4_000, fromFund: 4_000 }))).to.equal(
      "No run reached beyond the insurance fund: it has paid, or has to, at most $4,000 (slices).",
    );
    const waits = { ...whole, deficits: 5_000, fromFund: 4_000, openDeficits: 1_000 }; // for the fund
    expect(verdict(only(waits))).to.contain("has to, at most $5,000 (slices).");
    expect(verdict(only({ ...waits, rescues: 250 }))).to.contain("has to, at most $5,250 (slices).");
    for (const part of ["socialised", "fromLenders", "badDebt", "openBeyondFund"]) {
      expect(verdict(only({ ...whole, [part]: 0.5 }))).to.equal(
        "1 of 1 runs reached beyond the insurance fund: slices by $0.50.",
      );
    }
    const { title, runs } = labRuns(2);
    expect(verdict({ title, runs: [runs[2]!, runs[0]!, { ...runs[2]!, name: "again" }] })).to.equal(
      "2 of 3 runs reached beyond the insurance fund: whole account by $12,346; again by $12,346.",
    );
  });

  it("marks no best where all are equal or more is not clearly better", () => {
    const markdown = comparisonMarkdown(labRuns(2)).split("\n");
    expect(markdown.slice(0, 3)).to.deep.equal([
      "|  |  | slices | half, <50 %> | whole account |",
      "| --- | --- | ---: | ---: | ---: |",
      "| losses | deficits of bankrupt accounts | **$4,000** | $40,000 | $412,346 |",
    ]);
    expect(markdown).to.include("|  | losses greater than MM | 52 | 52 | 52 |");
    expect(markdown).to.include("| takers | takers' profit | $30,000 | $55,000 | −$1,500 |");
  });

  it("takes the higher for the better of the fund's lowest", () => {
    // at the end of two minutes the fund holds what the totals say: 1,006,400.10, 978,000 and 630,000; it began with 1,000,000
    expect(comparisonMarkdown(labRuns(2))).to.contain(
      "|  | fund at its lowest | **$1,000,000** | $978,000 | $630,000 |",
    );
  });

  it("is a table for the terminal", () => {
    const { head, rows } = comparisonTable(labRuns(2));
    expect(head).to.deep.equal(["", "", ">slices", ">half, <50 %>", ">whole account"]);
    const lines = table(head, rows).split("\n");
    expect(lines[2]).to.match(/^losses +deficits of bankrupt accounts +\$4,000 +\$40,000 +\$412,346$/);
  });

  it("writes one line of CSV a run, with every total", () => {
    const [head, slices, half, , end] = comparisonCsv(labRuns(2)).split("\n");
    const columns = head!.split(",");
    expect(columns.slice(0, 7)).to.deep.equal([
      "name",
      "policy",
      "latency",
      "seed",
      "accounts",
      "source",
      "scenarioHash",
    ]);
    // 26 totals that are numbers, five of each of two sets of quantiles, eight of the margin test
    expect(columns.slice(7)).to.have.length(26 + 2 * 5 + 8);
    expect(columns.slice(7)).to.deep.equal(columns.slice(7).toSorted());
    const cells = slices!.split(",");
    expect(cells[columns.indexOf("breachToCure.p99")]).to.equal("3720");
    expect(cells[columns.indexOf("fundEnd")]).to.equal("1006400.1");
    expect(half!.slice(0, 30)).to.equal('"half, <50 %>","half, <50 %>",');
    expect(end).to.equal("");
  });

  it("writes a minute of a run in each line of CSV", () => {
    const { runs } = labRuns(2);
    const [run] = runs;
    const utilisation = [0.5, NaN]; // what is no number is left empty
    const [head, first, second, end] = seriesCsv({ ...run!, series: { ...run!.series, utilisation } }).split("\n");
    expect(head).to.equal(
      "time,price.ETH,price.BTC,feed.ETH,feed.BTC,belowMaintenance,belowInitial,liquidatedNotional,penalties,fund,deficits,openInterest,utilisation",
    );
    expect(first).to.match(/^1516060800,.*,0,0,0,0,1000000,0,30000000,0\.5$/);
    // what was liquidated by then: 4.5 M of 30 M
    expect(second).to.match(/^1516060860,.*,0,0,4500000,52000\.5,1006400\.1,4000,25500000,$/);
    expect(end).to.equal("");
  });

  it("writes the same bytes for the same runs, in whatever order their fields stand", () => {
    const comparison = labRuns(3);
    const turned = JSON.parse(comparisonJson(comparison)) as Comparison;
    expect(Object.keys(turned)).to.deep.equal(["runs", "title"]);
    expect(turned).to.deep.equal(comparison);
    expect(comparisonJson(turned)).to.equal(comparisonJson(comparison));
    expect(comparisonCsv(turned)).to.equal(comparisonCsv(comparison));
    expect(comparisonPage(turned)).to.equal(comparisonPage(comparison));
  });

  it("keeps names from becoming markup", () => {
    const { runs } = labRuns(2);
    const html = comparisonPage({ title: "<b>", runs: [{ ...runs[0]!, name: "</script><img src=x>", source: "<i>" }] });
    expect(html).not.to.contain("<img").and.not.to.contain("<i>");
    expect(html).to.contain("<h1>&lt;b&gt;</h1>");
  });
});
