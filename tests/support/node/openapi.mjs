// Reads a list of OpenAPI documents (as texts) from standard input, writes for each what Spectral's rules find in it.
import { readFileSync } from "node:fs";
import spectral from "@stoplight/spectral-core";
import rulesets from "@stoplight/spectral-rulesets";

const severities = ["error", "warning", "information", "hint"];
const linter = new spectral.Spectral();
linter.setRuleset({ extends: [rulesets.oas] });
const answers = [];
for (const text of JSON.parse(readFileSync(0, "utf8"))) {
  const found = await linter.run(JSON.parse(text));
  answers.push(found.map(({ severity, code, path, message }) => ({ severity: severities[severity], code, path: path.join("/"), message })));
}
process.stdout.write(JSON.stringify(answers));
