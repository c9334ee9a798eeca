import globals from "globals";

const rules = {
  "no-undef": "error",
  "no-unused-vars": ["error", { ignoreRestSiblings: true }],
  "no-redeclare": "error",
  "no-shadow-restricted-names": "error",
  "no-dupe-keys": "error",
  "no-unreachable": "error",
  "no-const-assign": "error",
  "no-import-assign": "error",
  "prefer-const": ["error", { destructuring: "all" }],
  "no-var": "error",
  eqeqeq: ["error", "always", { null: "ignore" }],
  complexity: ["error", 15],
};

export default [
  { files: ["assets/page/**/*.js"], languageOptions: { globals: globals.browser }, rules },
  { files: ["tests/browser/*.js"], languageOptions: { globals: { ...globals.node, document: "readonly" } }, rules },
];
