import { z } from "zod";

import { REFUSALS } from "../sdk/refusals.ts";

const MAX_UINT = (1n << 256n) - 1n;

/** A decimal number of at most 256 bits. */
const uint = z
  .string()
  .regex(/^(?:0|[1-9]\d{0,77})$/, "give a decimal integer as a text")
  .transform((text) => BigInt(text))
  .refine((value) => value <= MAX_UINT, "does not fit into 256 bits");
const int = z
  .string()
  .regex(/^(?:0|-?[1-9]\d{0,76})$/, "give a decimal integer as a text")
  .transform((text) => BigInt(text));
const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^0x[0-9a-f]{${2 * bytes}}$`), `give 0x and ${bytes} bytes in lower case`);
const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/, "give an address");
const signature = z
  .string()
  .regex(/^0x(?:[0-9a-fA-F]{2}){0,2048}$/, "give 0x and at most 2048 bytes")
  .describe("65 bytes of ECDSA, or whatever the owner's contract wallet accepts");
const stamp = z
  .int()
  .min(0)
  .describe("time of signing in ms; has to grow from one instruction of an owner to the next");

/** An order as it is signed: integers in the contract's units. */
const orderSchema = z.strictObject({
  account: uint.describe("account id"),
  market: uint,
  size: int.describe("wad, positive buys; a multiple of 1e9"),
  limitPrice: uint.describe("wad, worst price"),
  triggerAbove: uint.describe("wad, fills only while the index price is at or above it: held until then; 0 = any"),
  triggerBelow: uint.describe("wad, fills only while the index price is at or below it: held until then; 0 = any"),
  executionFee: uint.describe("wad USD, what who settles the whole of it may take from the account"),
  expiry: uint.describe("last second at which it can fill"),
  nonce: uint.describe("orders of one account that share a nonce share one filled amount"),
  epoch: uint,
  resting: z.boolean().describe("rests in the book; otherwise what does not fill at once is cancelled"),
  postOnly: z.boolean(),
  reduceOnly: z.boolean(),
  fillOrKill: z.boolean(),
});

/** What requests carry. */
export const REQUESTS = {
  place: z.strictObject({ order: orderSchema, signature }),
  cancel: z.strictObject({ order: hex(32).describe("hash of the order"), signature }),
  cancelMany: z.strictObject({
    owner: address,
    account: uint.describe("2^256 - 1 for all"),
    market: uint.describe("2^256 - 1 for all"),
    belowNonce: uint.describe("2^256 - 1 for all"),
    stamp,
    signature,
  }),
  heartbeat: z.strictObject({
    owner: address,
    timeout: z.int().min(0).describe("ms after which all orders of the owner die unless he says so again; 0 = never"),
    stamp,
    signature,
  }),
};

/** Most orders of one request. */
export const MAX_ORDERS = 50;

/** Several orders in one request. */
export const placeMany = z.strictObject({ orders: z.array(REQUESTS.place).min(1).max(MAX_ORDERS) });

/** What stands in addresses of requests. */
export const PARAMETERS = {
  hash: hex(32),
  account: uint,
  market: z.coerce.number().int().min(0).max(255),
  depth: z.coerce.number().int().min(1).max(1000).default(50),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
};

/** What a client says on a WebSocket. */
export const socketRequest = z.strictObject({
  op: z.enum(["subscribe", "unsubscribe", "snapshot", "ping"]),
  channel: z
    .string()
    .regex(/^(?:(?:book|fills)\.\d{1,3}|orders\.\d{1,78})$/, "give book.<market>, fills.<market> or orders.<account>")
    .optional(),
});

const decimal = z.string().describe("decimal number");
const levels = z.array(z.tuple([decimal, decimal])).describe("price and size, best first");

/** What answers carry. */
const orderView = z.object({
  hash: hex(32),
  account: z.string(),
  market: z.int(),
  side: z.enum(["buy", "sell"]),
  size: decimal,
  limitPrice: decimal,
  triggerAbove: decimal.describe("0 = none"),
  triggerBelow: decimal.describe("0 = none"),
  executionFee: decimal,
  expiry: z.int(),
  nonce: z.string(),
  resting: z.boolean(),
  postOnly: z.boolean(),
  reduceOnly: z.boolean(),
  fillOrKill: z.boolean(),
  placed: z.int(),
  state: z
    .enum(["open", "held", "filled", "cancelled", "expired"])
    .describe("held: live, but outside the book, waiting for its trigger or for something to take"),
  open: decimal,
  filled: decimal.describe("by the book"),
  settled: decimal.describe("of that, on the chain"),
  reason: z.string().optional().describe("why it ended or is held"),
  detail: z.string().optional().describe("the contract's error"),
});
const fillView = z.object({
  fill: z.int(),
  market: z.int(),
  maker: hex(32),
  taker: hex(32),
  side: z.enum(["buy", "sell"]).describe("of the taker"),
  size: decimal,
  price: decimal,
  time: z.int(),
  state: z.enum(["pending", "settled", "failed"]),
  transaction: z.string().optional(),
  reason: z.string().optional(),
});
const refusal = z
  .looseObject({ error: z.enum(Object.keys(REFUSALS)), message: z.string() })
  .describe("the numbers that belong to the error stand beside it");
const placed = z.object({
  order: orderView,
  sequence: z.int().describe("place in the log"),
  logHash: hex(32).describe("running hash of the log after it"),
});

interface Operation {
  readonly method: "get" | "post";
  readonly path: string;
  readonly summary: string;
  readonly parameters?: Readonly<Record<string, z.ZodType>>;
  readonly query?: Readonly<Record<string, z.ZodType>>;
  readonly body?: z.ZodType;
  readonly answer: z.ZodType;
}

const done = z.object({ sequence: z.int(), cancelled: z.array(hex(32)) });

/** Every operation of the HTTP interface. */
const OPERATIONS: readonly Operation[] = [
  { method: "post", path: "/orders", summary: "Place an order", body: REQUESTS.place, answer: placed },
  {
    method: "post",
    path: "/orders/many",
    summary: "Place several orders, each for itself",
    body: placeMany,
    answer: z.object({ results: z.array(z.union([placed, refusal])) }),
  },
  { method: "post", path: "/cancel", summary: "Cancel an order", body: REQUESTS.cancel, answer: done },
  {
    method: "post",
    path: "/cancel-many",
    summary: "Cancel all orders of an owner, or those of an account, a market or below a nonce",
    body: REQUESTS.cancelMany,
    answer: done,
  },
  {
    method: "post",
    path: "/heartbeat",
    summary: "Dead man's switch: without another sign of life all orders of the owner are cancelled",
    body: REQUESTS.heartbeat,
    answer: z.object({ sequence: z.int(), deadline: z.int().nullable() }),
  },
  {
    method: "get",
    path: "/orders/{hash}",
    summary: "State of an order, with the reason why it ended",
    parameters: { hash: PARAMETERS.hash },
    answer: orderView,
  },
  {
    method: "get",
    path: "/accounts/{account}/orders",
    summary: "Open and held orders of an account; public, as orders are once they are settled",
    parameters: { account: PARAMETERS.account },
    answer: z.object({ orders: z.array(orderView) }),
  },
  {
    method: "get",
    path: "/markets",
    summary: "Markets with what the exchange allows in them",
    answer: z.object({
      markets: z.array(z.object({ market: z.int(), index: decimal, priceBandPpm: z.int(), minFill: decimal })),
    }),
  },
  {
    method: "get",
    path: "/markets/{market}/book",
    summary: "Depth",
    parameters: { market: PARAMETERS.market },
    query: { depth: PARAMETERS.depth },
    answer: z.object({ market: z.int(), sequence: z.int(), bids: levels, asks: levels }),
  },
  {
    method: "get",
    path: "/markets/{market}/fills",
    summary: "Recent fills, newest last",
    parameters: { market: PARAMETERS.market },
    query: { limit: PARAMETERS.limit },
    answer: z.object({ fills: z.array(fillView) }),
  },
  {
    method: "get",
    path: "/health",
    summary: "Whether orders are taken, and where the log and the chain stand",
    answer: z.object({
      ok: z.boolean(),
      trouble: z.string().optional(),
      sequence: z.int(),
      logHash: hex(32),
      block: z.int(),
      openOrders: z.int(),
      heldOrders: z.int().describe("of the open ones, those outside the book"),
      waitingFills: z.int(),
    }),
  },
];

/** The OpenAPI description of the HTTP interface, written from the schemas that requests are checked by. */
export function openApi(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of OPERATIONS) (paths[operation.path] ??= {})[operation.method] = describe(operation);
  return {
    openapi: "3.1.0",
    info: {
      title: "Plimsoll matcher",
      version: "1",
      description:
        "Price-time order book over EIP-712 orders, settled on-chain in batches. Streams book.<market>, fills.<market> and " +
        "orders.<account> by WebSocket at /stream. All data is public.",
    },
    paths,
  };
}

function describe({ summary, parameters, query, body, answer }: Operation): object {
  const named = (place: "path" | "query", schemas: Readonly<Record<string, z.ZodType>> = {}) =>
    Object.entries(schemas).map(([name, schema]) => ({
      ...{ name, in: place, required: place === "path", schema: toJson(schema, "input") },
    }));
  const content = (schema: z.ZodType, io: "input" | "output") => ({
    "application/json": { schema: toJson(schema, io) },
  });
  return {
    summary,
    parameters: [...named("path", parameters), ...named("query", query)],
    ...(body !== undefined && { requestBody: { required: true, content: content(body, "input") } }),
    responses: {
      200: { description: "done", content: content(answer, "output") },
      default: { description: "refused", content: content(refusal, "output") },
    },
  };
}

function toJson(schema: z.ZodType, io: "input" | "output"): object {
  return z.toJSONSchema(schema, { io, unrepresentable: "any", target: "draft-2020-12" });
}
