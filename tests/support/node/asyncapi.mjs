// Reads a list of AsyncAPI documents (as texts) from standard input, writes for each its version ("" when it is none) and what the parser finds.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const severities = ["error", "warning", "information", "hint"];
const answers = [];
for (const text of JSON.parse(readFileSync(0, "utf8"))) {
  const { document, diagnostics } = await new Parser().parse(text);
  const found = diagnostics.map(({ severity, code, path, message }) => ({ severity: severities[severity], code, path: path.join("/"), message }));
  answers.push({ version: document ? document.version() : "", found });
}
process.stdout.write(JSON.stringify(answers));
