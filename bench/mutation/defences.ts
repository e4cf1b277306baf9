/** A stretch of a contract's source, and what stands in its place while the defence is removed. */
export interface Removal {
  readonly file: string;
  /** Stands in the file once, or once after `after`. */
  readonly text: string;
  readonly put: string;
  readonly after?: string;
}

/** What stops an attack, and the test that fails without it. */
export interface Defence {
  /** As in docs/security.md. */
  readonly name: string;
  readonly removals: readonly Removal[];
  /** `Contract.test` of test/contracts, or `file: title` of a TypeScript test. */
  readonly test: string;
}

const contract = (name: string) => `contracts/${name}.sol`;
const library = (name: string) => `contracts/libraries/${name}.sol`;

function defence(name: string, test: string, file: string, text: string, put: string, after?: string): Defence {
  return { name, test, removals: [{ file, text, put, ...(after === undefined ? {} : { after }) }] };
}

const BORROW_BELOW_MM = [
  library("Borrowing"),
  "if (a.equity - int256(s.profit) < int256(a.maintenanceMargin)) return;",
  "",
] as const;
const FUND_USE = [library("Waterfall"), "$.fundUse[market].add(drawn);", ""] as const;

/** In the order of the table in docs/security.md. */
export const DEFENCES: readonly Defence[] = [
  // below the line
  defence(
    "ratio-never-falls",
    "AttacksTest.test_ATTACK_01_ReduceAtTheBand",
    library("Health"),
    "a.equity * int256(b.maintenanceMargin) >= b.equity * int256(a.maintenanceMargin)",
    "true",
  ),
  defence(
    "no-hot-for-cold",
    "AttacksTest.test_ATTACK_02_HotForCold",
    library("Health"),
    `a.equity - int256(a.maintenanceMargin) >= b.equity - int256(b.maintenanceMargin) &&
            a.equity * int256(b.maintenanceMargin) >= b.equity * int256(a.maintenanceMargin)`,
    "true",
  ),
  defence(
    "unpaid-profit-stays",
    "AttacksTest.test_FSA_5_ATTACK_03_LeavingOnUnpaidProfit",
    library("Health"),
    "counted = a.equity - int256(s.profit);",
    "counted = a.equity;",
  ),
  defence(
    "bankrupt-does-not-trade",
    "AttacksTest.test_MMS_3_ATTACK_04_TradingWhileBankrupt",
    library("Health"),
    "extra != 0 || !covered || !_mayStayBelow(id, marks) || !_worsensNothing($, id, s, a)",
    "extra != 0 || !covered || !_mayStayBelow(id, marks)",
  ),
  // liquidation
  defence(
    "fund-cap",
    "AttacksTest.test_ATTACK_05_RescueWithinTheCap",
    library("Waterfall"),
    "((cash + used) * FUND_CAP) / PPM",
    "cash + used",
  ),
  defence(
    "rescue-from-zero",
    "AttacksTest.test_ATTACK_05_NoRescueAtOnce",
    library("Auctions"),
    "Fixed.min(rescueClock - 1, RAMP)",
    "RAMP",
  ),
  defence(
    "claims-by-consent",
    "AttacksTest.test_ATTACK_06_SellingPhantomProfit",
    library("Liquidation"),
    "!acceptClaims || sale.claims > profit",
    "sale.claims > profit",
  ),
  defence(
    "debt-moves-too",
    "LendingAttacksTest.test_ATTACK_07_TheTakersMoneyAtFullUtilisation",
    library("Liquidation"),
    "sale.debtShares = (debtShares * sale.fraction) / WAD;",
    "sale.debtShares = 0;",
  ),
  defence(
    "clock-by-calls",
    "AttacksTest.test_ATTACK_08_ClockGames",
    library("Auctions"),
    "Fixed.min(block.timestamp - x.lastCall, MAX_STEP)",
    "block.timestamp - x.lastCall",
  ),
  defence(
    "specks-stay-outside",
    "LendingAttacksTest.test_ATTACK_09_ASpeckOfAPosition",
    contract("ClearingHouse"),
    "if (s.degraded) return Observation.liquidateRest($, id, taker, terms);",
    "if (s.degraded) revert CheckPending();",
  ),
  defence(
    "flat-needs-no-margin",
    "AttacksTest.test_ATTACK_10_OwesNothing",
    library("Margin"),
    "if (s.flat) (a.initialMargin, a.maintenanceMargin) = (0, 0);",
    "",
  ),
  defence(
    "nothing-is-written-off",
    "LendingAttacksTest.test_ATTACK_11_DebtAndNoAsset",
    library("Observation"),
    "Waterfall.absorb($, id, uint256(-a.equity));",
    "",
  ),
  defence(
    "lent-cash-net-of-flags",
    "LendingAttacksTest.test_ATTACK_11_EarlyLenders",
    library("Lending"),
    "p.lent > p.flaggedDeficit ? p.lent - p.flaggedDeficit : 0",
    "p.lent",
  ),
  defence("no-loan-for-oneself", "LendingAttacksTest.test_FSA_5_ATTACK_12_TwoAccountsOneOwner", ...BORROW_BELOW_MM),
  {
    name: "im-at-least-mm",
    test: "LendingAttacksTest.test_ATTACK_13_InitialBelowMaintenance",
    removals: [
      { file: contract("PriceOracle"), text: "Fixed.max(s.target, factor)", put: "s.target" },
      {
        file: contract("RiskEngine"),
        text: "if (initialMargin < maintenanceMargin) initialMargin = maintenanceMargin;",
        put: "",
      },
    ],
  },
  // pools, losses, lending
  defence("no-loan-below-mm", "LendingAttacksTest.test_ATTACK_14_SettleOntoLenders", ...BORROW_BELOW_MM),
  defence(
    "cash-call-is-small",
    "LendingAttacksTest.test_ATTACK_15_RallyWithoutCash",
    library("Liquidation"),
    "Fixed.min(Fixed.min(WAD, terms.maxFraction), (loss * WAD) / (value - debt))",
    "Fixed.min(WAD, terms.maxFraction)",
  ),
  defence(
    "who-lends-settles-first",
    "LendingAttacksTest.test_ATTACK_15_LendingAwayFromALoss",
    library("Upkeep"),
    "if (loss != 0) revert IClearingHouseCore.UnsettledLoss(id, $.accounts[id].cash, loss);",
    "",
  ),
  defence(
    "loss-in-halves",
    "AttacksTest.test_ATTACK_16_LossWithoutSizeInHalves",
    library("Waterfall"),
    "leg.size == 0",
    "false",
  ),
  defence(
    "socialised-up-to-a-cap",
    "AttacksTest.test_ATTACK_16_TinyOpenInterest",
    library("Waterfall"),
    "cap > used ? cap - used : 0",
    "type(uint256).max",
  ),
  defence(
    "losses-pro-rata",
    "AttacksTest.test_ATTACK_17_OrderOfSettlement",
    library("Pools"),
    `if (a.cash >= totalLoss(list)) payLoss($, id, market, loss);
        else payLosses($, id, list);`,
    "payLoss($, id, market, Fixed.min(a.cash, loss));",
  ),
  defence(
    "claims-share-alike",
    "LendingAttacksTest.test_ATTACK_17_SplittingAClaim",
    library("Upkeep"),
    "$.losses[market].badDebt -= amount - paid;",
    "$.losses[market].badDebt -= amount;",
  ),
  defence(
    "flags-hold-back-what-they-record",
    "LendingAttacksTest.test_ATTACK_18_TinyFlagsBlockNothing",
    library("Pools"),
    "pool.cash > pool.flaggedDeficit ? pool.cash - pool.flaggedDeficit : 0",
    "pool.flaggedDeficit == 0 ? pool.cash : 0",
  ),
  defence("one-cap-a-day", "AttacksTest.test_ADL_2_ATTACK_18_ManySmallEvents", ...FUND_USE),
  defence(
    "spreads-need-basis",
    "AttacksTest.test_ATTACK_19_TwoMarketsOneUnderlying",
    contract("RiskEngine"),
    "hedged = Fixed.divUp(spreads, 2);",
    "",
  ),
  defence(
    "fund-net-of-flags",
    "AttacksTest.test_ATTACK_20_LeavingBeforeTheLoss",
    contract("InsuranceFund"),
    "gross > deficit ? gross - deficit : 0",
    "gross",
  ),
  // prices, funding, keys, exits
  defence(
    "last-good-price-exactly",
    "LendingAttacksTest.test_ATTACK_21_ReducingWithoutAPrice",
    library("Trading"),
    "venue.unpriced ? 0 : venue.params.priceBand",
    "venue.params.priceBand",
  ),
  defence(
    "small-trades-carry-no-weight",
    "LendingAttacksTest.test_ATTACK_22_OneDollarFunding",
    library("Funding"),
    "if ((size * price) / WAD < MIN_NOTIONAL) return;",
    "",
  ),
  defence(
    "every-round-once",
    "LendingAttacksTest.test_ATTACK_23_ChosenSamples",
    contract("PriceOracle"),
    "if (e.round == 0) e.round = uint80(latestId - 1);",
    "e.round = uint80(latestId - 1);",
  ),
  defence(
    "silence-is-no-step",
    "LendingAttacksTest.test_ATTACK_23_Silence",
    contract("PriceOracle"),
    "_settleFactor(underlying, s);",
    "",
    "if (observed == 0) return 0;",
  ),
  defence(
    "openings-are-remembered",
    "LendingAttacksTest.test_MM_4_ATTACK_24_FlashMargin",
    library("Health"),
    "block.timestamp < o.time + OPENING_WINDOW ? o.markets : 0",
    "0",
  ),
  defence(
    "surcharge-for-who-opens",
    "LendingAttacksTest.test_MM_4_ATTACK_24_OpenInterestAsAWeapon",
    library("Health"),
    "Transient.opened(marks)",
    "$.accounts[id].markets",
    "returns (uint256 total)",
  ),
  defence(
    "closing-is-no-opening",
    "LendingAttacksTest.test_MM_4_ATTACK_24_OpenInterestAsAWeapon",
    library("Trading"),
    "_raises(taker)",
    "true",
  ),
  defence(
    "mid-of-two-that-rest",
    "AttacksTest.test_ATTACK_25_WhosePrice",
    contract("Exchange"),
    "taker.resting && !maker.postOnly ? (bid + ask) / 2 : maker.limitPrice",
    "maker.limitPrice",
  ),
  defence(
    "loss-limit-of-a-key",
    "KeysTest.test_AUTH_2_LossLimit",
    contract("SessionKeys"),
    "if (loss > int256(left)) revert KeyLossLimit(key, loss, left);",
    "",
  ),
  defence(
    "epoch-of-an-order",
    "AttacksTest.test_ATTACK_26_OldEpoch",
    contract("Exchange"),
    "if (order.epoch != owner.epoch) revert OrderEpochMismatch(order.epoch, owner.epoch);",
    "",
  ),
  defence(
    "an-order-is-listed-once",
    "AttacksTest.test_ATTACK_26_OneOrderListedTwice",
    contract("Exchange"),
    "if (_setLane(order.account, order.nonce, lots) != rest.before) revert OrderRepeated(order.account, order.nonce);",
    "_setLane(order.account, order.nonce, lots);",
  ),
  defence(
    "an-order-names-its-account",
    "AttacksTest.test_ATTACK_26_TwoWalletsOneSigner",
    contract("Exchange"),
    "_structHash(order)",
    "keccak256(abi.encode(order.market, order.size, order.limitPrice, order.nonce))",
    "function hashOrder(",
  ),
  defence(
    "inflow-frees-the-window",
    "test/unit/outflow.test.ts: AUTH-5 ATTACK-27 going in and out uses nothing up",
    library("Outflows"),
    "if (o.cap != 0) _store($, token, o, level(o) - int256(amount));",
    "",
  ),
  defence(
    "exit-covers-what-was-there",
    "test/unit/outflow.test.ts: FSA-5 ATTACK-27 it covers the cash of its request only",
    library("Outflows"),
    "!isCash || amount <= cash",
    "true",
  ),
  // whatever else strangers try
  defence(
    "one-lock",
    "GuardsTest.test_MAS_3_Reentrancy",
    contract("ClearingHouseBase"),
    "if (Transient.isBusy()) revert IClearingHouseCore.Reentrancy();",
    "",
  ),
  defence(
    "every-door-is-locked",
    "test/unit/tokens.test.ts: MAS-3 MAS-4 refuses a token that comes back in the middle of a transfer",
    contract("ClearingHouseBase"),
    "if (Transient.isBusy()) revert IClearingHouseCore.Reentrancy();",
    "",
  ),
  defence(
    "no-batch-in-a-call",
    "test/unit/tokens.test.ts: MAS-3 MAS-4 refuses a token that comes back in the middle of a transfer",
    contract("ClearingHouse"),
    "if (!Transient.isIdle()) revert Reentrancy();",
    "",
  ),
  defence(
    "no-view-in-the-middle",
    "GuardsTest.test_MAS_3_Reentrancy",
    library("Transient"),
    "_load(LOCK) == 0",
    "true",
  ),
  defence(
    "listed-tokens-only",
    "test/unit/permit.test.ts: MMS-3 in a batch no stranger's token runs, and of the vault nothing but permits",
    library("Batch"),
    "_requireListed($, tokens, abi.decode(data[4:36], (address)));",
    "",
  ),
  defence(
    "permits-only",
    "test/unit/permit.test.ts: MMS-3 in a batch no stranger's token runs, and of the vault nothing but permits",
    library("Batch"),
    " && selector == IVault.permit.selector",
    "",
  ),
  defence(
    "one-price-per-call",
    "test/unit/batch.test.ts: CRA-3 knows one price per underlying, whatever its feed says in the middle",
    library("Prices"),
    "if (Transient.isBusy()) Transient.setPrice(key, answer);",
    "",
  ),
  defence(
    "a-shock-between-im-and-mm",
    "StrangersTest.test_OR_2_BorrowingAheadOfTheOracle",
    contract("RiskEngine"),
    `m.initial += Fixed.divUp(
                exposure * r.shock() * s.initialFactor() * r.initialFactor(),
                PPM * PPM * PHI_UNIT
            );`,
    "",
  ),
  defence(
    "taker-is-another-owner",
    "GuardsTest.test_Liquidation",
    library("Liquidation"),
    "if (id.ownerOf() == msg.sender) revert IClearingHouseCore.SelfLiquidation(id, taker);",
    "",
  ),
  defence(
    "the-funds-fifth",
    "StrangersTest.test_LIQ_4_TakingOneselfCosts",
    library("Liquidation"),
    "sale.toFund = Fixed.divUp(sale.cost * FUND_SHARE, PPM);",
    "sale.toFund = 0;",
  ),
  defence(
    "virtual-shares",
    "StrangersTest.test_CMA_5_DonationToTheFund",
    contract("InsuranceFund"),
    "6",
    "0",
    "OFFSET = ",
  ),
  defence(
    "virtual-shares-of-lenders",
    "test/unit/lending.test.ts: CMA-5 nobody can inflate the first share with interest",
    library("Lending"),
    "1e6",
    "1",
    "VIRTUAL_SHARES = ",
  ),
  defence(
    "collateral-by-consent",
    "StrangersTest.test_MMS_2_AVictimsCostsAreBounded",
    library("Custody"),
    "Ledger.requireAuthority($, id);",
    "",
    "} else {",
  ),
  defence(
    "no-dust",
    "test/unit/deposit.test.ts: MMS-2 refuses dust and a ninth collateral asset",
    library("Custody"),
    "_requireNoDust(id, collateral, balance, params.minBalance);",
    "",
  ),
  defence(
    "sixteen-markets",
    "test/unit/trade.test.ts: MMS-2 refuses unknown markets, trades with oneself and a seventeenth market",
    library("Ledger"),
    "LibBit.popCount(a.markets) > MAX_ACCOUNT_MARKETS",
    "false",
  ),
  defence(
    "eight-collaterals",
    "test/unit/deposit.test.ts: MMS-2 refuses dust and a ninth collateral asset",
    library("Ledger"),
    "LibBit.popCount(a.collaterals) > MAX_ACCOUNT_COLLATERALS",
    "false",
  ),
  defence(
    "a-wallets-gas",
    "test/unit/settleEach.test.ts: OB-2 survives a contract wallet that burns all its gas",
    contract("Exchange"),
    "owner.staticcall{gas: SIGNATURE_GAS}(",
    "owner.staticcall(",
  ),
  defence(
    "a-feeds-gas",
    "test/unit/oracle.test.ts: OR-5 a feed that burns all gas costs no more than its share",
    library("Rounds"),
    "CALL_GAS",
    "gasleft()",
    "uint256 gasLimit = ",
  ),
  defence(
    "the-takers-terms",
    "GuardsTest.test_Liquidation",
    library("Liquidation"),
    "if (paid > terms.maxPayment) revert IClearingHouseCore.PaymentTooHigh(paid, terms.maxPayment);",
    "",
  ),
  defence(
    "healthy-is-not-sold",
    "test/unit/liquidation.test.ts: LIQ-6 of two takers in one block the second is refused and loses nothing",
    contract("ClearingHouse"),
    "if (s.flat || a.equity >= int256(base)) revert NotLiquidatable(id, a.equity, base);",
    "",
  ),
  defence(
    "cash-as-expected",
    "ViewsTest.test_LIQ_6_RequireCashBeforeEverySlice",
    contract("ClearingHouseExt"),
    "if (held != cash) revert IClearingHouseCore.AccountChanged(id, held, cash);",
    "",
  ),
  defence(
    "cancelled-is-cancelled",
    "KeysTest.test_REV_1_Cancel",
    contract("Exchange"),
    "_setLane(account, nonces[i], CANCELLED);",
    "",
  ),
  defence(
    "permit-brought-before",
    "test/unit/permit.test.ts: AUTH-4 who brings a permit in front spoils nothing",
    contract("Vault"),
    "if (IERC20(token).allowance(owner, address(this)) >= amount) return;",
    "",
  ),
  defence(
    "permit2-brought-before",
    "test/unit/permit.test.ts: AUTH-1 Permit2 does for tokens without permits, as long and as far as it was signed",
    contract("Vault"),
    "if (_permit2Allowance(token, owner) >= amount) return;",
    "",
  ),
  defence(
    "flat-asks-no-engine",
    "StrangersTest.test_MM_5_FlatLeavesWhateverTheEngineSays",
    library("Margin"),
    "if (s.flat) return;",
    "",
  ),
  defence(
    "loans-up-to-what-is-liquid",
    "StrangersTest.test_MM_5_AHostileEngineGivesAwayThePoolAtMost",
    library("Lending"),
    "mayBorrow ? Fixed.min(amount, liquid) - raised : 0",
    "mayBorrow ? amount - raised : 0",
  ),
  defence(
    "parameters-bound-together",
    "test/unit/engine.test.ts: MM-5 HC-1 bounds every parameter, alone and together",
    contract("RiskEngine"),
    `_inBounds("shock and slope", Fixed.divUp(worst, PHI_UNIT) + r.maxTrackingInitial, 0, PPM);`,
    "",
  ),
  defence(
    "pause-stops-openings",
    "GovernancePauseTest.test_MM_5_NoFillRaisesOpenInterest",
    library("Trading"),
    "Pause.requireOff($);",
    "",
  ),
  defence(
    "pauses-lie-apart",
    "GovernancePauseTest.test_MM_5_APauseEndsByItselfAndTheNextOneWaits",
    library("Pause"),
    "if (block.timestamp < from) revert IClearingHouseCore.PauseTooEarly(from);",
    "from;",
  ),
  defence(
    "steward-in-steps",
    "GovernanceStewardTest.test_MM_5_ACapturedStewardMakesNobodyLiquidatable",
    contract("governance/RiskSteward"),
    "if (wanted > most) revert StepTooLarge(field, standing, wanted, most);",
    "most;",
  ),
];
