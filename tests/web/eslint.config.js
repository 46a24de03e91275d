/** What eslint holds the module, the console and their tests to. Run from the root: `make lint`. */

import js from "@eslint/js";
import jsdoc from "eslint-plugin-jsdoc";
import globals from "globals";

/** A signature is read tag by tag, so each tag has a line of its own. */
const oneTagALine = {
  meta: { messages: { crowded: "Give @{{tag}} a line of its own." } },
  create: (context) => ({
    Program() {
      for (const comment of context.sourceCode.getAllComments()) {
        const tag = /^\s*\*.*[^*\s].* @(param|returns|throws|template)\b/m.exec(comment.value)?.[1];
        const lone = /^\* @(param|returns|throws|template)\b/.exec(comment.value)?.[1];
        const crowded = tag ?? lone;
        if (crowded)
          context.report({ loc: comment.loc, messageId: "crowded", data: { tag: crowded } });
      }
    },
  }),
};

export default [
  js.configs.recommended,
  {
    files: ["web/**/*.js", "tests/web/**/*.js"],
    plugins: { jsdoc, robosignal: { rules: { "one-tag-a-line": oneTagALine } } },
    settings: { jsdoc: { mode: "typescript", tagNamePreference: { augments: "extends" } } },
    languageOptions: { globals: { ...globals.browser } },
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "object-shorthand": ["error", "properties"],
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", caughtErrors: "none" }],
      "robosignal/one-tag-a-line": "error",
      "jsdoc/check-param-names": "error",
      "jsdoc/check-tag-names": ["error", { definedTags: ["import"] }],
      "jsdoc/empty-tags": "error",
    },
  },
  {
    files: ["tests/web/**/*.js"],
    languageOptions: { globals: { ...globals.node } },
  },
  {
    // For browsers that know no modules: nothing after ES5.
    files: ["web/console/check.js"],
    languageOptions: { ecmaVersion: 5, sourceType: "script" },
    rules: { "no-var": "off", "object-shorthand": "off" },
  },
];
