// Reads a list of diagrams as JSON, writes for each what Mermaid's own parser says: "" or the error.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

const { window } = new JSDOM("<body></body>");
globalThis.window = window;
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");
mermaid.initialize({ startOnLoad: false, securityLevel: "strict" });

const found = [];
for (const diagram of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    await mermaid.parse(diagram);
    found.push("");
  } catch (error) {
    found.push(String(error.message));
  }
}
process.stdout.write(JSON.stringify(found));
