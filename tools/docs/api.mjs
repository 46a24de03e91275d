/**
 * Prints the public interface of a JavaScript module as Markdown, from its JSDoc and the types that
 * TypeScript finds: `node api.mjs MODULE`, with the folder of TypeScript in NODE_PATH.
 */

import { createRequire } from "node:module";
import { resolve } from "node:path";
import process from "node:process";

const ts = createRequire(`${process.env.NODE_PATH}/`)("typescript");
const path = resolve(process.argv[2]);
const options = {
  allowJs: true,
  checkJs: true,
  noEmit: true,
  strict: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
  types: [],
};
const program = ts.createProgram([path], options);
const checker = program.getTypeChecker();
/** A type or a signature as text, without the paths of the files that it is from. */
const plain = (text) => text.replace(/import\("[^"]+"\)\./g, "");
const FORMAT =
  ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseSingleQuotesForStringLiteralType;

const { symbol } = program.getSourceFile(path);
const found = checker
  .getExportsOfModule(symbol)
  .map((each) => (each.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(each) : each));
const kinds = { functions: [], classes: [], types: [] };
for (const each of found) {
  if (each.flags & ts.SymbolFlags.Class) kinds.classes.push(each);
  else if (each.flags & ts.SymbolFlags.Function) kinds.functions.push(each);
  else if (each.flags & ts.SymbolFlags.TypeAlias) kinds.types.push(each);
}

const lines = [];
for (const [title, symbols] of [
  ["Functions", kinds.functions],
  ["Classes", kinds.classes],
  ["Types", kinds.types],
]) {
  if (symbols.length === 0) continue;
  lines.push(`## ${title}`, "");
  for (const each of symbols)
    title === "Classes"
      ? describeClass(each)
      : title === "Types"
        ? describeType(each)
        : describe(each, "###", each.name);
}
process.stdout.write(`${lines.join("\n")}\n`);

/** A function or a method: how it is called, what its JSDoc says, its parameters. */
function describe(each, level, name) {
  const declared = each.valueDeclaration;
  const type = checker.getTypeOfSymbolAtLocation(each, declared);
  const [signature] = type.getCallSignatures();
  lines.push(`${level} ${name}`, "");
  if (signature)
    lines.push(
      "```ts",
      `${name}${plain(checker.signatureToString(signature, declared, FORMAT))}`,
      "```",
      "",
    );
  else
    lines.push(
      "```ts",
      `${name}: ${plain(checker.typeToString(type, declared, FORMAT))}`,
      "```",
      "",
    );
  say(each);
}

/** What the JSDoc of a symbol says, with a list of parameters, results and errors. */
function say(each) {
  const text = ts.displayPartsToString(each.getDocumentationComment(checker)).trim();
  if (text) lines.push(text, "");
  const items = [];
  for (const { name, text: parts } of each.getJsDocTags(checker)) {
    const words = ts.displayPartsToString(parts).trim();
    if (name === "param" && words.includes(" "))
      items.push(
        `- \`${words.split(/\s/)[0]}\`: ${words.replace(/^\S+\s+(- )?/, "").replace(/\s+/g, " ")}`,
      );
    if (name === "returns" && words) items.push(`- Returns: ${words.replace(/\s+/g, " ")}`);
    if (name === "throws" && words)
      items.push(`- Throws ${words.replace(/^\{?(\w+)\}?/, "`$1`").replace(/\s+/g, " ")}`);
  }
  if (items.length > 0) lines.push(...items, "");
}

/** Whether a member is for users: neither private nor for the module's own parts. */
function isPublic(member) {
  const tags = member.getJsDocTags(checker).map(({ name }) => name);
  return (
    !member.name.startsWith("#") &&
    !member.name.startsWith("__") &&
    !tags.includes("internal") &&
    !tags.includes("private")
  );
}

function describeClass(each) {
  lines.push(`### ${each.name}`, "");
  say(each);
  const type = checker.getDeclaredTypeOfSymbol(each);
  for (const member of type.getProperties()) {
    const [declared] = member.declarations ?? [];
    if (!declared || declared.getSourceFile().isDeclarationFile || !isPublic(member)) continue;
    if (member.name === "on") describeEvents(member);
    else if (member.name !== "emit") describe(member, "####", member.name);
  }
}

function describeType(each) {
  const type = checker.getDeclaredTypeOfSymbol(each);
  lines.push(`### ${each.name}`, "");
  const fields = type.isUnion() ? [] : type.getProperties();
  const isOurs = fields.every((field) =>
    field.declarations?.every((one) => !one.getSourceFile().isDeclarationFile),
  );
  say(each);
  if (fields.length === 0 || !isOurs || type.getCallSignatures().length > 0) {
    lines.push(
      "```ts",
      plain(checker.typeToString(type, undefined, FORMAT | ts.TypeFormatFlags.InTypeAlias)),
      "```",
      "",
    );
    return;
  }
  table("field", fields);
}

/** One row for each property: its name, its type, what its JSDoc says. */
function table(head, properties) {
  lines.push(`| ${head} | type | meaning |`, "| --- | --- | --- |");
  for (const each of properties) {
    const type = checker.getTypeOfSymbol(each);
    const isOptional = (each.flags & ts.SymbolFlags.Optional) !== 0;
    const shown = plain(
      checker.typeToString(isOptional ? checker.getNonNullableType(type) : type, undefined, FORMAT),
    );
    const text = ts
      .displayPartsToString(each.getDocumentationComment(checker))
      .replace(/\s+/g, " ")
      .trim();
    lines.push(
      `| \`${each.name}\` | \`${shown.replaceAll("|", "\\|")}\` | ${isOptional ? "may be absent; " : ""}${text} |`,
    );
  }
  lines.push("");
}

/** The events of a class: a row for each name that its `on` takes. */
function describeEvents(on) {
  const [signature] = checker
    .getTypeOfSymbolAtLocation(on, on.valueDeclaration)
    .getCallSignatures();
  const names = signature.typeParameters?.[0]?.getConstraint();
  lines.push("#### on", "", "```ts", "on(name, listener): () => void", "```", "");
  say(on);
  if (names?.type) table("event", names.type.getProperties());
}
