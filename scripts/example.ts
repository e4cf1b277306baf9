import { JsonRpcProvider } from "ethers";

import { accountId } from "../src/sdk/accountId.ts";
import { Plimsoll } from "../src/sdk/client.ts";
import { loadAddressBook } from "../src/sdk/node.ts";
import { formatWad } from "../src/sdk/units.ts";
import { MockERC20__factory } from "../types/index.ts";

const addressBook = loadAddressBook(process.env.ADDRESS_BOOK ?? "deploy/addresses/31337.json");
const provider = new JsonRpcProvider(process.env.RPC_URL ?? "http://127.0.0.1:8545");
const [alice, bob] = await Promise.all([provider.getSigner(1), provider.getSigner(2)]);

// Each deposits 10,000 USDC into his main account; nothing has to be created.
for (const trader of [alice, bob]) {
  await MockERC20__factory.connect(addressBook.cash.token, trader).mint(trader, 10_000_000_000n);
  await (await Plimsoll.connect(addressBook, trader)).deposit(accountId(trader.address), "USDC", "10000");
}

// Alice rests an offer of 10 ETH, Bob takes it; anyone may settle the two signed orders.
const [maker, taker] = [await Plimsoll.connect(addressBook, alice), await Plimsoll.connect(addressBook, bob)];
const terms = { market: 0, limitPrice: "2000", nonce: 0n };
const offer = await maker.order({ ...terms, account: accountId(alice.address), size: "-10", resting: true });
const bid = await taker.order({ ...terms, account: accountId(bob.address), size: "10" });
await taker.settleOrders([offer, bid], [{ maker: 0, taker: 1 }]);

const bobs = accountId(bob.address);
const { equity, initialMargin, maintenanceMargin, state } = await taker.health(bobs);
const [e, im, mm] = [equity, initialMargin, maintenanceMargin].map(formatWad);
console.log(`Bob is ${state}: equity ${e}, initial margin ${im}, maintenance margin ${mm}`);
const prices = (await taker.liquidationPrices(bobs)).get(0);
if (prices?.down !== undefined) console.log(`and liquidatable below an ETH price of ${formatWad(prices.down)}`);
provider.destroy();
