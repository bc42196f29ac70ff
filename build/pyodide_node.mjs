// Boots Pyodide under Node, without packages, and ends a pass that fails with its error alone (not Pyodide's source).
import { readFileSync } from "node:fs";
import { loadPyodide } from "../node_modules/pyodide/pyodide.mjs";

const lock = new URL("../node_modules/pyodide/pyodide-lock.json", import.meta.url);

export function boot(options) {
  const { info } = JSON.parse(readFileSync(lock, "utf8"));
  return loadPyodide({ lockFileContents: { info, packages: {} }, ...options });
}

export async function runPass(pass) {
  try {
    await pass(process.argv[2]);
  } catch (error) {
    console.error(error.message ?? String(error));
    process.exit(1);
  }
}
