import { readFileSync } from "node:fs";
import path from "node:path";

import { expect } from "chai";
import { parse } from "yaml";

import { createMetrics } from "../../src/keeper/metrics.ts";

const FOLDER = path.join(import.meta.dirname, "../../docs/keeper");
const SUFFIX = /_(bucket|sum|count)$/;

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

function read(file: string): string {
  return readFileSync(path.join(FOLDER, file), "utf8");
}

describe("what is shipped for operators", () => {
  const { registry } = createMetrics();
  const histograms = ["plimsoll_keeper_decision_seconds", "plimsoll_keeper_submission_seconds"];
  const { groups } = parse(read("alerts.yml")) as { groups: { rules: Rule[] }[] };
  const rules = groups.flatMap((group) => group.rules);

  for (const file of ["alerts.yml", "dashboard.json"]) {
    it(`every metric that ${file} names exists`, () => {
      const named = new Set([...read(file).matchAll(/\bplimsoll_keeper_\w+/g)].map(([name]) => name));
      expect(named.size).to.be.greaterThan(10);
      for (const name of named) {
        const metric = histograms.includes(name.replace(SUFFIX, "")) ? name.replace(SUFFIX, "") : name;
        expect(registry.getSingleMetric(metric), name).to.not.equal(undefined);
      }
    });
  }

  it("every metric is shown on the dashboard", () => {
    const dashboard = read("dashboard.json");
    for (const { name } of registry.getMetricsAsArray()) expect(dashboard).to.include(name);
  });

  it("F-4 every alert has a severity and says what is wrong and what to do; one tells that a funding cap binds", () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).to.equal(rules.length);
    for (const { alert, labels, annotations } of rules) {
      expect(labels.severity, alert).to.match(/^(page|ticket)$/);
      const [what, todo] = annotations.summary.split(/[.:] /, 2);
      expect(
        [what, todo].every((part) => (part ?? "").length > 10),
        `${alert}: ${annotations.summary}`,
      ).to.equal(true);
    }
    expect(rules.find(({ alert }) => alert === "FundingCapBinds")?.expr).to.equal(
      "plimsoll_keeper_funding_cap_ratio >= 1",
    );
  });

  it("metrics are named by Prometheus' rules: totals count, others carry a unit", () => {
    const unitless = ["ready", "block", "accounts", "endpoint_healthy", "oracle_usable", "notices_due"];
    for (const { name } of registry.getMetricsAsArray()) {
      const plain = name.replace(/^plimsoll_keeper_/, "");
      expect(unitless.includes(plain) || /_(total|seconds|blocks|ratio|usd|wei)$/.test(name), name).to.equal(true);
    }
  });
});
