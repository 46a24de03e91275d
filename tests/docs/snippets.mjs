/** Reads a list of snippets of JavaScript from standard input, and prints what TypeScript cannot parse. */

import { createRequire } from "node:module";
import console from "node:console";
import { readFileSync } from "node:fs";
import { URL } from "node:url";

const ts = createRequire(new URL("../web/package.json", import.meta.url))("typescript");
for (const { name, code, kind } of JSON.parse(readFileSync(0, "utf8"))) {
  const compilerOptions = {
    jsx: ts.JsxEmit.Preserve,
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.ESNext,
  };
  const { diagnostics } = ts.transpileModule(code, {
    fileName: `snippet.${kind}`,
    compilerOptions,
    reportDiagnostics: true,
  });
  for (const { messageText } of diagnostics)
    console.log(`${name}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`);
}
