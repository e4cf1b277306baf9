import type { Answer, Source } from "./judge.ts";
import { parsePriceAnswer } from "./price.ts";

const MAX_ANSWER = 16_384; // [bytes]

/**
 * Asks every source for its price, all at once.
 * @param timeout [ms]
 */
export function askSources(sources: readonly Source[], timeout: number): Promise<Answer[]> {
  return Promise.all(sources.map(async (source) => ({ source, price: parsePriceAnswer(await ask(source, timeout)) })));
}

/** What a source says; `undefined` if it is nothing, or no JSON. */
async function ask({ url }: Source, timeout: number): Promise<unknown> {
  try {
    const response = await fetch(url, { redirect: "error", signal: AbortSignal.timeout(timeout) });
    return response.ok ? JSON.parse(await textOf(response)) : undefined;
  } catch {
    return undefined;
  }
}

/** @throws RangeError for an answer that no price can be */
async function textOf({ body }: Response): Promise<string> {
  if (body === null) return "";
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as ReadableStream<Uint8Array>) {
    size += chunk.length;
    if (size > MAX_ANSWER) throw new RangeError(`the answer is longer than ${MAX_ANSWER} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
