import { readFileSync } from "node:fs";
import path from "node:path";

import { expect } from "chai";
import { parse } from "yaml";

import { KEEPER_SETTINGS, parseKeeperConfig } from "../../src/keeper/config.ts";
import { countHouse, createMetrics } from "../../src/keeper/metrics.ts";
import { createPusherMetrics } from "../../src/pusher/metrics.ts";
import { Plimsoll } from "../../src/sdk/client.ts";
import { BTC, ETH, freshHouse } from "../helpers/fixture.ts";

const DOCS = path.join(import.meta.dirname, "../../docs");
const SUFFIX = /_(bucket|sum|count)$/;

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

function read(file: string): string {
  return readFileSync(path.join(DOCS, file), "utf8");
}

function rulesOf(file: string): Rule[] {
  const { groups } = parse(read(file)) as { groups: { rules: Rule[] }[] };
  return groups.flatMap((group) => group.rules);
}

describe("what is shipped for operators", () => {
  const { registry } = createMetrics();
  const registries = { keeper: registry, pusher: createPusherMetrics().registry };
  const histograms = ["plimsoll_keeper_decision_seconds", "plimsoll_keeper_submission_seconds"];

  for (const [file, service] of [
    ["keeper/alerts.yml", "keeper"],
    ["keeper/dashboard.json", "keeper"],
    ["pusher/alerts.yml", "pusher"],
  ] as const) {
    it(`every metric that ${file} names exists`, () => {
      const named = new Set([...read(file).matchAll(/\bplimsoll_\w+_\w+/g)].map(([name]) => name));
      expect(named.size).to.be.greaterThan(5);
      for (const name of named) {
        const metric = histograms.includes(name.replace(SUFFIX, "")) ? name.replace(SUFFIX, "") : name;
        expect(registries[service].getSingleMetric(metric), name).to.not.equal(undefined);
      }
    });
  }

  it("every metric is shown on the dashboard", () => {
    const dashboard = read("keeper/dashboard.json");
    for (const { name } of registry.getMetricsAsArray()) expect(dashboard).to.include(name);
  });

  for (const file of ["keeper/alerts.yml", "pusher/alerts.yml"]) {
    it(`every alert of ${file} has a severity and says what is wrong and what to do`, () => {
      const rules = rulesOf(file);
      expect(new Set(rules.map(({ alert }) => alert)).size).to.equal(rules.length);
      for (const { alert, labels, annotations } of rules) {
        expect(labels.severity, alert).to.match(/^(page|ticket)$/);
        const [what, todo] = annotations.summary.split(/[.:] /, 2);
        expect(
          [what, todo].every((part) => (part ?? "").length > 10),
          `${alert}: ${annotations.summary}`,
        ).to.equal(true);
      }
    });
  }

  it("every setting stands in keeper/settings.md with its default, and no other", () => {
    const rows = [...read("keeper/settings.md").matchAll(/^\| `(\w+)` \| (?:`(.+?)`)? *\|/gm)];
    expect(rows.map(([, name]) => name)).to.deep.equal(KEEPER_SETTINGS);
    const byDefault = parseKeeperConfig({});
    for (const [, name = "", value] of rows) {
      expect(parseKeeperConfig({ [name]: value }), name).to.deep.equal(byDefault);
    }
  });

  it("F-4 an alert tells that a funding cap binds", () => {
    expect(rulesOf("keeper/alerts.yml").find(({ alert }) => alert === "FundingCapBinds")?.expr).to.equal(
      "plimsoll_keeper_funding_cap_ratio >= 1",
    );
  });

  it("metrics are named by Prometheus' rules: totals count, others carry a unit", () => {
    const unitless = {
      keeper: ["ready", "block", "accounts", "endpoint_healthy", "oracle_usable", "notices_due", "heads_announced"],
      pusher: ["ready", "answer", "source_believed"],
    };
    for (const service of ["keeper", "pusher"] as const) {
      for (const { name } of registries[service].getMetricsAsArray()) {
        const plain = name.replace(`plimsoll_${service}_`, "");
        const isRight = unitless[service].includes(plain) || /_(total|seconds|blocks|ratio|usd|wei)$/.test(name);
        expect(isRight, name).to.equal(true);
      }
    }
  });

  it("F-4 the share of its cap that funding takes up, and which prices are usable", async () => {
    const house = await freshHouse();
    for (const who of [house.alice, house.bob]) await house.fund(who, { cash: "100000" });
    // the first trade has all the weight: a premium of 0.02 % is two fifths of the cap of 0.05 %
    await house.trade(house.alice, house.bob, ETH, "1", "2000.4");
    await house.trade(house.alice, house.bob, BTC, "0.1", "29900"); // −0.33 % counts as −0.05 %
    const client = await Plimsoll.connect(house.addressBook, house.ethers.provider);
    const metrics = createMetrics();
    const told = async () => {
      const { house: state } = await client.view(0n);
      countHouse(metrics, state, house.addressBook);
      return metrics.registry.metrics();
    };
    const text = await told();
    expect(text).to.include('plimsoll_keeper_funding_cap_ratio{market="ETH-PERP"} 0.4\n');
    expect(text).to.include('plimsoll_keeper_funding_cap_ratio{market="BTC-PERP"} 1\n');
    expect(text).to.include('plimsoll_keeper_oracle_usable{underlying="ETH"} 1\n');
    await house.networkHelpers.time.increase(24 * 3600 + 1);
    await house.networkHelpers.mine();
    expect(await told()).to.include('plimsoll_keeper_oracle_usable{underlying="ETH"} 0\n');
  });
});
