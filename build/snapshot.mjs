// Pass 2: boots from the .pyc zips, imports what the store needs and saves the memory. One argument: a folder (see runtime.py).
import { readFileSync, writeFileSync } from "node:fs";
import { boot, runPass } from "./pyodide_node.mjs";

await runPass(async (folder) => {
  const python = await boot({ stdLibURL: `${folder}/stdlib.zip`, _makeSnapshot: true });
  // A Buffer is refused: unpackArchive wants the plain array.
  python.unpackArchive(new Uint8Array(readFileSync(`${folder}/code.zip`)), "zip");
  const names = JSON.parse(readFileSync(`${folder}/imports.json`, "utf8"));
  python.runPython(`import ${names.join(", ")}\nimport gc\ngc.collect()\nNone`);
  const heap = python._module.HEAP8.length;
  const used = python._module._sbrk?.(0) ?? 0;
  const snapshot = python.makeMemorySnapshot();
  writeFileSync(`${folder}/snapshot.bin`, snapshot);

  // The sum that python.js compares: a damaged snapshot must not become a damaged Python.
  let sum = 0;
  const words = new Uint32Array(snapshot.slice(0, snapshot.length & ~3).buffer);
  for (let i = 0; i < words.length; i++) sum = (Math.imul(sum, 31) + words[i]) | 0;
  console.log(JSON.stringify({ heap, used, size: snapshot.length, sum }));
});
