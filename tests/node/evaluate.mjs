// Reads {"contexts", "expressions"} as JSON, writes for each expression {"value"} or {"error"}.
import { readFileSync } from "node:fs";
import { data, Evaluator, Lexer, Parser } from "@actions/expressions";
import { replacer } from "@actions/expressions/data/replacer";
import { reviver } from "@actions/expressions/data/reviver";

const { contexts, expressions } = JSON.parse(readFileSync(0, "utf8"));
const scope = JSON.parse(JSON.stringify(contexts), reviver);

// JSON has no NaN and no Infinity.
function marked(key, value) {
  const plain = replacer(key, value);
  return typeof plain === "number" && !isFinite(plain) ? { number: String(plain) } : plain;
}

function evaluate(text) {
  try {
    const tree = new Parser(new Lexer(text).lex().tokens, Object.keys(contexts), []).parse();
    return { value: JSON.parse(JSON.stringify(new Evaluator(tree, scope).evaluate(), marked)) };
  } catch (error) {
    return { error: String(error.message) };
  }
}

process.stdout.write(JSON.stringify(expressions.map(evaluate)));
