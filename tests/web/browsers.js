/**
 * Drives Chromium and Firefox for the Python tests, by WebDriver BiDi: a request is a line of JSON
 * on standard input, and its reply is a line on standard output. It ends with its input.
 *
 * It carries out what it is asked and knows no page.
 */

import { createInterface } from "node:readline";

import puppeteer from "puppeteer-core";

/** @import { Browser, BrowserContext, Page } from "puppeteer-core" */

const POLL_MS = 20;
/** Firefox reports a socket that it cannot open, or that a page leaves behind, as if a script had thrown. */
const NO_ERROR =
  /^Error: (Firefox can’t establish a connection|The connection to .* was interrupted)/;

/** @type {Browser | null} */
let browser = null;
/** @type {Map<string, {context: BrowserContext, page: Page, errors: string[]}>} */
const tabs = new Map();

/** What may be asked, by name. @type {Record<string, (asked: any) => Promise<unknown>>} */
const COMMANDS = {
  launch: async ({ name, executable, arguments: args }) => {
    browser = await puppeteer.launch({
      browser: name,
      executablePath: executable,
      args,
      protocol: "webDriverBiDi",
    });
    return browser.version();
  },
  open: async ({ tab }) => {
    const context = await /** @type {Browser} */ (browser).createBrowserContext();
    const page = await context.newPage();
    /** @type {string[]} */
    const errors = [];
    page.on(
      "pageerror",
      (error) => void (NO_ERROR.test(String(error)) || errors.push(String(error))),
    );
    tabs.set(tab, { context, page, errors });
  },
  // A name and its arguments: `page.click`, `keyboard.down`.
  call: async ({ tab, on, method, args }) => {
    const { page } = of(tab);
    const target = /** @type {any} */ (on === "page" ? page : /** @type {any} */ (page)[on]);
    await target[method](...args);
  },
  evaluate: ({ tab, script, args }) =>
    of(tab).page.evaluate(`(${script})(...${JSON.stringify(args)})`),
  // Puppeteer's own waiting makes functions of strings, which the console's CSP forbids.
  wait: ({ tab, script, args, timeoutMs }) =>
    of(tab).page.evaluate(waiting(script, args, timeoutMs)),
  close: async ({ tab }) => {
    const { context, errors } = of(tab);
    tabs.delete(tab);
    await context.close();
    return errors;
  },
};

/**
 * @param {string} tab
 */
function of(tab) {
  const found = tabs.get(tab);
  if (!found) throw new Error(`there is no tab ${tab}`);
  return found;
}

/**
 * @param {string} script
 * @param {unknown[]} args
 * @param {number} timeoutMs
 */
function waiting(script, args, timeoutMs) {
  return `new Promise((resolve) => {
    const until = performance.now() + ${timeoutMs};
    const look = () => {
      const found = (${script})(...${JSON.stringify(args)});
      if (found || performance.now() > until) return resolve(found);
      setTimeout(look, ${POLL_MS});
    };
    look();
  })`;
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let reply;
  try {
    const command = COMMANDS[asked.do];
    if (!command) throw new Error(`there is no command ${asked.do}`);
    reply = { value: (await command(asked)) ?? null };
  } catch (error) {
    reply = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
await browser?.close();
