import { expect } from "chai";

import { check, EditMisses, hasSolver } from "../../proofs/check.ts";
import { contractOf, PROPERTIES } from "../../proofs/properties.ts";

describe("Proofs", () => {
  // The README's installation does not bring z3.
  it("proves that divUp rounds up, and refutes it where it rounds down", function () {
    if (!hasSolver()) {
      console.log("      skipped: z3 is not installed (apt-get install z3)");
      this.skip();
    }
    const lemma = PROPERTIES.find(({ name }) => name === "DIV_UP")!;
    expect(check(lemma.file, contractOf(lemma), lemma.engine)).to.equal("proved");
    expect(check(lemma.file, contractOf(lemma), lemma.engine, lemma.bug)).to.equal("refuted");
  });

  it("notices a bug that cannot be planted because the text has changed", () => {
    const edit = { file: "proofs/Lemmas.sol", from: "no such text", to: "" };
    expect(() => check("proofs/Lemmas.sol", "DivUp", "bmc", edit)).to.throw(EditMisses, "0 times");
  });
});
