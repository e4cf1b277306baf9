import { createHmac } from "node:crypto";

import { createTransport } from "nodemailer";
import type { Transporter } from "nodemailer";
import { z } from "zod";

import type { Notice } from "./notices.ts";

const TIMEOUT = 10_000; // [ms] for a receiver to take a notice
export const TELEGRAM = "https://api.telegram.org";

/** A way to one receiver of notices. */
export interface NoticeChannel {
  /** Of the subscription; stands in logs, so it holds no secret. */
  readonly name: string;
  /** Whose accounts' notices go there: an owner's address, an account in hexadecimal, or `*` for all. */
  readonly for: string;
  /** @throws NoticeNotTaken */
  send(notice: Notice): Promise<void>;
}

/** A receiver did not take a notice. Says why in a code: what servers and libraries write may hold secrets. */
export class NoticeNotTaken extends Error {
  readonly channel: string;
  readonly code: string;

  constructor(channel: string, code: string) {
    super(`channel ${channel} did not take the notice (${code}); it is tried again`);
    this.name = "NoticeNotTaken";
    this.channel = channel;
    this.code = code;
  }
}

// ---------------------------------------------------------------- subscriptions

const secureUrl = z
  .url({ protocol: /^https?$/, error: "give an https:// address" })
  .refine((url) => /^https:|^http:\/\/(127\.0\.0\.1|localhost)[:/]/.test(url), "give an https:// address");
const webhook = z.strictObject({
  url: secureUrl,
  secret: z.string().min(16, "give at least 16 characters, shared with the receiver"),
});
const telegram = z.strictObject({
  chat: z.string().regex(/^(-?\d+|@\w+)$/, "give a chat's number or @channel name"),
});
const email = z.strictObject({ to: z.email("give an e-mail address") });
const receiver = z
  .strictObject({
    name: z.string().regex(/^[\w.-]{1,64}$/, "give a name of letters, digits, dots and dashes"),
    for: z
      .string()
      .regex(/^(\*|0x[0-9a-fA-F]{40,64})$/, "give an owner's address, an account in hexadecimal, or * for all"),
    webhook: webhook.optional(),
    telegram: telegram.optional(),
    email: email.optional(),
  })
  .refine((s) => [s.webhook, s.telegram, s.email].filter((way) => way !== undefined).length === 1, {
    error: "give one of webhook, telegram and email",
  });

/** The file of subscriptions: who is told where. */
export const subscriptionsSchema = z.array(receiver).superRefine((list, context) => {
  const names = list.map(({ name }) => name);
  for (const name of new Set(names.filter((n, i) => names.indexOf(n) !== i))) {
    context.addIssue({ code: "custom", message: `two subscriptions are called ${name}: give each a name of its own` });
  }
});

export type Subscription = z.infer<typeof receiver>;

/** What the channels send with; secrets come from the environment, never from the subscriptions file. */
export const transportsSchema = z.object({
  telegram: z.object({ token: z.string().min(1), baseUrl: secureUrl.default(TELEGRAM) }).optional(),
  smtp: z
    .object({
      host: z.string().min(1),
      port: z.int().min(1).max(65_535),
      /** TLS from the first byte; otherwise STARTTLS where the server offers it. */
      secure: z.boolean().default(true),
      user: z.string().optional(),
      password: z.string().optional(),
      from: z.email("give the sender's e-mail address"),
    })
    .optional(),
});

export type Transports = z.infer<typeof transportsSchema>;

/** A subscription needs a transport that is not configured. */
export class MissingTransport extends Error {
  readonly subscription: string;
  readonly transport: string;

  constructor(subscription: string, transport: "telegram" | "smtp") {
    const needed = transport === "telegram" ? "a bot token" : "an SMTP server";
    super(`subscription ${subscription} cannot be served: configure ${needed}, or take it out of the subscriptions`);
    this.name = "MissingTransport";
    this.subscription = subscription;
    this.transport = transport;
  }
}

/**
 * One channel for each subscription.
 * @throws MissingTransport
 */
export function channelsOf(subscriptions: readonly Subscription[], transports: Transports): NoticeChannel[] {
  const mailer = transports.smtp === undefined ? undefined : mailerOf(transports.smtp);
  return subscriptions.map((s): NoticeChannel => {
    const { name } = s;
    const to = { name, for: s.for };
    if (s.webhook !== undefined) return new WebhookChannel(to, s.webhook);
    if (s.telegram !== undefined) {
      if (transports.telegram === undefined) throw new MissingTransport(name, "telegram");
      return new TelegramChannel(to, transports.telegram, s.telegram.chat);
    }
    if (mailer === undefined || transports.smtp === undefined) throw new MissingTransport(name, "smtp");
    return new EmailChannel(to, mailer, transports.smtp.from, s.email?.to ?? "");
  });
}

// ---------------------------------------------------------------- channels

type Receiver = Pick<NoticeChannel, "name" | "for">;

/** Posts the notice as JSON, signed: see docs/keeper/notices.md. */
class WebhookChannel implements NoticeChannel {
  readonly name: string;
  readonly for: string;
  readonly #to: z.infer<typeof webhook>;

  constructor(receiver: Receiver, to: z.infer<typeof webhook>) {
    this.name = receiver.name;
    this.for = receiver.for;
    this.#to = to;
  }

  async send(notice: Notice): Promise<void> {
    const body = JSON.stringify(notice);
    const time = Math.floor(Date.now() / 1000);
    const signature = createHmac("sha256", this.#to.secret).update(`${time}.${body}`).digest("hex");
    const headers = { "plimsoll-signature": `t=${time},v1=${signature}`, "plimsoll-notice": notice.id };
    await post(this.name, this.#to.url, body, headers);
  }
}

/** Sends the notice's text to a chat through a bot. */
class TelegramChannel implements NoticeChannel {
  readonly name: string;
  readonly for: string;
  readonly #url: string;
  readonly #chat: string;

  constructor(receiver: Receiver, { token, baseUrl }: NonNullable<Transports["telegram"]>, chat: string) {
    this.name = receiver.name;
    this.for = receiver.for;
    this.#url = `${baseUrl.replace(/\/$/, "")}/bot${token}/sendMessage`;
    this.#chat = chat;
  }

  async send({ subject, text }: Notice): Promise<void> {
    await post(this.name, this.#url, JSON.stringify({ chat_id: this.#chat, text: `${subject}\n\n${text}` }), {});
  }
}

/** Mails the notice's text. */
class EmailChannel implements NoticeChannel {
  readonly name: string;
  readonly for: string;
  readonly #mailer: Transporter;
  readonly #from: string;
  readonly #to: string;

  constructor(receiver: Receiver, mailer: Transporter, from: string, to: string) {
    this.name = receiver.name;
    this.for = receiver.for;
    this.#mailer = mailer;
    this.#from = from;
    this.#to = to;
  }

  async send({ id, subject, text }: Notice): Promise<void> {
    const [from, to] = [this.#from, this.#to];
    const headers = { "Plimsoll-Notice": id };
    try {
      await this.#mailer.sendMail({ from, to, subject, text, headers });
    } catch (error) {
      throw new NoticeNotTaken(this.name, codeOf(error));
    }
  }
}

function mailerOf({ host, port, secure, user, password }: NonNullable<Transports["smtp"]>): Transporter {
  const auth = user === undefined ? {} : { auth: { user, pass: password ?? "" } };
  const timeouts = { connectionTimeout: TIMEOUT, greetingTimeout: TIMEOUT, socketTimeout: TIMEOUT };
  return createTransport({ host, port, secure, ...auth, ...timeouts });
}

async function post(channel: string, url: string, body: string, headers: Record<string, string>): Promise<void> {
  let status: number;
  try {
    const response = await fetch(url, {
      ...{ method: "POST", body, headers: { "content-type": "application/json", ...headers } },
      ...{ redirect: "error", signal: AbortSignal.timeout(TIMEOUT) }, // a redirect could lead a secret away
    });
    await response.body?.cancel();
    status = response.status;
  } catch (error) {
    throw new NoticeNotTaken(channel, codeOf(error));
  }
  if (status < 200 || status > 299) throw new NoticeNotTaken(channel, `HTTP ${status}`);
}

/** The code of an error or of its cause, such as ECONNREFUSED; never its message. */
function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return "failed";
  if ("code" in error && typeof error.code === "string") return error.code;
  if ("cause" in error && error.cause !== undefined) return codeOf(error.cause);
  return error instanceof Error ? error.name : "failed";
}
