import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";

/** What a command line runs in: the process, or a test. */
export interface Shell {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether somebody is there to answer. */
  readonly interactive: boolean;
  /** Writes a result. */
  out(text: string): void;
  /** Writes everything that is no result: questions, what is about to happen, errors. */
  err(text: string): void;
  /** Asks for a line; a hidden one is not echoed. */
  ask(question: string, hidden?: boolean): Promise<string>;
}

/** The process as a shell. */
export const processShell: Shell = {
  env: process.env,
  interactive: process.stdin.isTTY && process.stderr.isTTY,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  ask: async (question, hidden = false) => {
    const silent = new Writable({
      write: (_chunk, _encoding, done) => {
        done();
      },
    });
    if (hidden) process.stderr.write(question);
    const lines = createInterface({ input: process.stdin, output: hidden ? silent : process.stderr, terminal: true });
    try {
      return await lines.question(hidden ? "" : question);
    } finally {
      lines.close();
      if (hidden) process.stderr.write("\n");
    }
  },
};
