// Pass 2: boots from the .pyc zips, imports what the store needs and saves the memory. One argument: a folder (see runtime.py).
import { readFileSync, writeFileSync } from "node:fs";
import { boot, runPass } from "./pyodide_node.mjs";

const PAGE = 4096; // bytes
const GAP = 64 * 1024; // bytes of zeros that are cheaper to keep than to name

await runPass(async (folder) => {
  const python = await boot({ stdLibURL: `${folder}/stdlib.zip`, _makeSnapshot: true });
  // A Buffer is refused: unpackArchive wants the plain array.
  python.unpackArchive(new Uint8Array(readFileSync(`${folder}/code.zip`)), "zip");
  const names = JSON.parse(readFileSync(`${folder}/imports.json`, "utf8"));
  python.runPython(`import ${names.join(", ")}\nimport gc\ngc.collect()\nNone`);
  // From here on the standard library's zip may be another one: a restore brings the small one of what is not loaded yet.
  python.runPython("import importlib\nimportlib.invalidate_caches()");
  const loaded = python.runPython("import sys\n' '.join(sorted(sys.modules))").split(" ");
  const heap = python._module.HEAP8.length;
  const snapshot = python.makeMemorySnapshot();

  // Half of it is zeros in long runs. Only the rest is kept, as [where it starts, how long it is] and the bytes.
  const runs = [];
  for (let at = 0; at < snapshot.length; at += PAGE) {
    const page = snapshot.subarray(at, at + PAGE);
    if (page.every((byte) => byte === 0)) continue;
    const last = runs.at(-1);
    if (last && at - (last[0] + last[1]) <= GAP) last[1] = at + page.length - last[0];
    else runs.push([at, page.length]);
  }
  const kept = Buffer.concat(runs.map(([start, length]) => snapshot.subarray(start, start + length)));
  writeFileSync(`${folder}/snapshot.bin`, kept);
  console.log(JSON.stringify({ heap, size: snapshot.length, loaded, runs, sum: sum(kept) }));
});

// The sum that python.js compares: a damaged snapshot must not become a damaged Python.
function sum(bytes) {
  let result = 0;
  const words = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~3)));
  for (let i = 0; i < words.length; i++) result = (Math.imul(result, 31) + words[i]) | 0;
  return result;
}
