// Reads names of workflow files and of an action.yml as arguments, writes what GitHub's own parser
// (that of its editor) says of each, as JSON.
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";

// Its packages import JSON without saying so.
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    const isJson = found.url.endsWith(".json");
    return isJson ? { ...found, format: "json", importAttributes: { type: "json" } } : found;
  },
});
const { validate } = await import("@actions/languageservice");
const { TextDocument } = await import("vscode-languageserver-textdocument");

const found = {};
for (const name of process.argv.slice(2)) {
  const document = TextDocument.create(`file://${name}`, "yaml", 1, readFileSync(name, "utf8"));
  found[name] = (await validate(document)).map((fault) => fault.message);
}
process.stdout.write(JSON.stringify(found));
