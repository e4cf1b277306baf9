import { ownerOf } from "../sdk/accountId.ts";
import { intentCall } from "../sdk/calls.ts";
import type { Call } from "../sdk/calls.ts";
import type { Plimsoll } from "../sdk/client.ts";
import { signIntent } from "../sdk/intents.ts";
import type { Intent, IntentTerms } from "../sdk/intents.ts";
import type { Session } from "./session.ts";

const KEY_DEADLINE = 600n; // [s] for which what a key has signed and sends itself is good

/**
 * What the signer sends: the owner his own call, a key of his an intent that it signs and brings itself.
 * @throws NoKey, KeystoreUnusable
 */
export async function ownOrIntent(session: Session, house: Plimsoll, own: Call, intent: Intent): Promise<Call> {
  const signer = await session.signer();
  const owner = ownerOf(intent.name === "Transfer" ? intent.from : intent.account);
  if (owner === signer.address) return own;
  const deadline = BigInt(Math.floor(Date.now() / 1000)) + KEY_DEADLINE;
  const terms = { ...(await freshTerms(house, owner)), deadline };
  return intentCall(session.book, intent, await signIntent(signer, session.book, intent, terms));
}

/** A nonce that was not used yet, and the owner's epoch. */
export async function freshTerms(house: Plimsoll, owner: string): Promise<Pick<IntentTerms, "nonce" | "epoch">> {
  const { epoch } = await house.exchange.ownerState(owner);
  return { nonce: BigInt(Date.now()), epoch };
}
