import { expect } from "chai";
import { AbiCoder, getAddress, hexlify, Interface } from "ethers";
import type { EventFragment, ParamType } from "ethers";

import { decode, MalformedLog } from "../../src/keeper/decode.ts";
import { generator } from "../../src/replay/synthetic.ts";
import { IClearingHouse__factory } from "../../types/index.ts";

/** Events that move no balance of an account, no fee and no auction: the ledger has no use for them. */
const IGNORED = [
  ...["FundingAccrued", "LendingChanged", "LossSocialised", "DeficitRecorded"], // of markets and the pool, which are read
  ...["MarketSet", "CollateralDelisted", "LendingParamsSet"], // likewise
  ...["RiskEngineSet", "PriceOracleSet", "ExchangeSet"], // `reconcile` compares with the address book
  ...["GuardSet", "PayeeAllowed", "PayeeRemoved", "LockdownSet", "UnlockRequested", "OutflowCapSet"],
  ...["AuthorityUpdated", "NewRiskPauseSet"],
  ...["ExitRequested", "ExitVoided", "FlowsTracked", "ExposureCapSet"],
];

const abi = IClearingHouse__factory.createInterface();
const next = generator(11);

/** A random value of a type, often one of its extremes. */
function random(type: ParamType): unknown {
  if (type.baseType === "tuple") return (type.components ?? []).map(random);
  if (type.type === "address") return getAddress(`0x${bits(160).toString(16).padStart(40, "0")}`);
  if (type.type === "bool") return next() < 0.5;
  const width = Number(/\d+$/.exec(type.type)?.[0]);
  const value = next() < 0.3 ? (2n ** BigInt(width) - 1n) * BigInt(next() < 0.5) : bits(width);
  return type.type.startsWith("int") ? BigInt.asIntN(width, value) : value;
}

function bits(width: number): bigint {
  return BigInt(hexlify(Uint8Array.from({ length: width / 8 }, () => Math.floor(next() * 256))));
}

function randomLog(event: EventFragment): { topics: string[]; data: string } {
  const { topics, data } = abi.encodeEventLog(
    event,
    event.inputs.map((input) => random(input)),
  );
  return { topics: topics, data };
}

/** Every field that is decoded, beside what ethers makes of it. */
function compare(decoded: object, parsed: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(decoded)) {
    if (name === "name") continue;
    const expected = parsed[name];
    if (typeof value === "object") compare(value as object, expected as Record<string, unknown>);
    else expect(value, name).to.equal(typeof expected === "string" ? expected.toLowerCase() : expected);
  }
}

describe("decode", () => {
  const events = abi.fragments.filter((fragment): fragment is EventFragment => fragment.type === "event");

  it("MAS-6 knows of every event of the ABI whether it matters", () => {
    const decoded = events.filter((event) => decode(randomLog(event)) !== undefined).map(({ name }) => name);
    expect([...decoded, ...IGNORED].sort()).to.deep.equal(events.map(({ name }) => name).sort());
  });

  for (const event of events.filter(({ name }) => !IGNORED.includes(name))) {
    it(`MAS-6 reads ${event.name} as ethers does`, () => {
      for (let i = 0; i < 200; ++i) {
        const log = randomLog(event);
        const decoded = decode(log);
        expect(decoded?.name).to.equal(event.name);
        expect(Object.keys(decoded ?? {}).length).to.be.greaterThan(1);
        compare(decoded ?? {}, abi.parseLog(log)?.args.toObject(true) as Record<string, unknown>);
      }
    });
  }

  it("ignores events that it does not know and logs without topics", () => {
    const other = new Interface(["event Deposited(uint256 account)"]);
    expect(decode(other.encodeEventLog("Deposited", [1n]))).to.equal(undefined);
    expect(decode({ topics: [], data: AbiCoder.defaultAbiCoder().encode(["uint256"], [1n]) })).to.equal(undefined);
  });

  it("refuses a log that is cut off", () => {
    for (const event of events.filter(({ name }) => !IGNORED.includes(name))) {
      expect(() => decode({ topics: [event.topicHash], data: "0x" })).to.throw(MalformedLog);
    }
    const trade = randomLog(abi.getEvent("Trade"));
    expect(() => decode({ ...trade, data: trade.data.slice(0, 2 + 64 * 5) })).to.throw(MalformedLog);
  });
});
