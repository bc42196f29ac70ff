// Compiles sources to .pyc inside the Pyodide that will run them. Arguments: a folder, and the program here that does it.
import { readFileSync } from "node:fs";
import { boot, runPass } from "./pyodide_node.mjs";

await runPass(async (folder) => {
  const python = await boot({});
  python.mountNodeFS("/build", folder);
  python.runPython(readFileSync(new URL(process.argv[3], import.meta.url), "utf8"));
});
