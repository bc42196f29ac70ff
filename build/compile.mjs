// Pass 1: compiles the sources to .pyc inside the Pyodide that will run them. One argument: a folder (see runtime.py).
import { readFileSync } from "node:fs";
import { boot, runPass } from "./pyodide_node.mjs";

await runPass(async (folder) => {
  const python = await boot({});
  python.mountNodeFS("/build", folder);
  python.runPython(readFileSync(new URL("in_pyodide.py", import.meta.url), "utf8"));
});
