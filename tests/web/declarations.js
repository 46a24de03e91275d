/**
 * Writes `web/robosignal/robosignal.d.ts`: the declarations that tsc makes of the module's JSDoc,
 * in one file. With `--check` it writes nothing, and fails if the file is out of date.
 */

import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { format } from "prettier";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";
import ts from "typescript";

const MODULE = fileURLToPath(new URL("../../web/robosignal/", import.meta.url));
const TARGET = join(MODULE, "robosignal.d.ts");
const HEADER = "// Made from the JSDoc of the module by `make fmt`.\n\n";

/**
 * @param {string} folder where tsc writes one declaration file for each source file
 * @throws {Error} with what tsc says
 */
function declare(folder) {
  const program = ts.createProgram([join(MODULE, "index.js")], {
    allowJs: true,
    checkJs: true,
    strict: true,
    declaration: true,
    emitDeclarationOnly: true,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    types: [],
    rootDir: MODULE,
    outDir: folder,
  });
  const { diagnostics } = program.emit();
  if (diagnostics.length > 0) throw new Error(ts.formatDiagnostics(diagnostics, HOST));
}

/** @type {ts.FormatDiagnosticsHost} */
const HOST = {
  getCanonicalFileName: (name) => name,
  getCurrentDirectory: () => MODULE,
  getNewLine: () => "\n",
};

/**
 * @returns {Promise<string>}
 */
async function declarations() {
  const folder = await mkdtemp(join(tmpdir(), "declarations-"));
  try {
    declare(folder);
    for (const name of await readdir(folder, { recursive: true })) {
      if (name.endsWith(".d.ts")) await stripInternals(join(folder, name));
    }
    const bundle = await rollup({ input: join(folder, "index.d.ts"), plugins: [dts()] });
    const { output } = await bundle.generate({ format: "es" });
    return format(HEADER + tidied(output[0].code), { parser: "typescript", printWidth: 100 });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * Remove the members that are marked `@internal`, as tsc's `stripInternal` does for TypeScript alone.
 *
 * @param {string} file
 */
async function stripInternals(file) {
  const code = await readFile(file, "utf8");
  const internal = /^ *\/\*\*(?:(?!\*\/)[^])*@internal(?:(?!\*\/)[^])*\*\/\n.*;\n/gm;
  await writeFile(file, code.replace(internal, ""));
}

/**
 * @param {string} code
 * @returns {string} without the types in comments, since the signatures have them, and without
 *   comments that have nothing else to say
 */
function tidied(code) {
  const braces = "\\{(?:[^{}]|\\{(?:[^{}]|\\{[^{}]*\\})*\\})*\\}";
  return (
    code
      .replace(/^\s*\/\*\* @(?:import|typedef) .*\*\/\n/gm, "")
      .replace(new RegExp(`(@(?:param|returns|template|extends)) ${braces}`, "g"), "$1")
      .replace(/^\s*\* @(?:returns|param \[?\w+\]?|template \w+|extends)\n/gm, "")
      .replace(/^(?:\s*\*\n)+(?=\s*\*\/)/gm, "")
      .replace(/^\s*\/\*\*\n\s*\*\/\n/gm, "")
      // A file's own comment, before that of its first declaration.
      .replace(/\/\*\*(?:(?!\*\/)[^])*\*\/\n(?=\/\*\*)/g, "")
      // What is internal was left out, their constructors included: only `connect` makes one.
      .replace(/^declare class (?:Session|Signal) .*\{$/gm, "$&\nprivate constructor();")
  );
}

const made = await declarations();
if (process.argv.includes("--check")) {
  if (made !== (await readFile(TARGET, "utf8").catch(() => ""))) {
    process.stderr.write("web/robosignal/robosignal.d.ts is out of date. Run: make fmt\n");
    process.exitCode = 1;
  }
} else {
  await writeFile(TARGET, made);
}
