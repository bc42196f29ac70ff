// Pass 2: boots from the .pyc zips, imports what the store needs and saves the memory. One argument: a folder (see runtime.py).
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import create from "../node_modules/pyodide/pyodide.asm.mjs";
import { boot, runPass } from "./pyodide_node.mjs";

const PAGE = 4096; // bytes
const GAP = 16; // pages; a shorter stretch is cheaper to keep than to name

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

  // The file leaves out what is zero, and what a WebAssembly module that was just made holds there anyway (its constants).
  // What it holds is in `runs`, what comes from the module in `same`: [where it belongs, from where, to where] each.
  const header = new Uint32Array(snapshot.buffer, snapshot.byteOffset, 2)[1]; // bytes before the memory itself
  const fresh = await freshMemory(snapshot);
  const zero = (at) => snapshot.subarray(at, at + PAGE).every((byte) => byte === 0);
  const equal = (at) =>
    at >= header && Buffer.compare(snapshot.subarray(at, at + PAGE), fresh.subarray(at - header, at - header + PAGE)) === 0;
  const same = stretches(snapshot, equal, 0)
    .map(([start, length]) => [start, length - zerosAtEnd(snapshot, start, length)])
    .filter(([, length]) => length > GAP * PAGE);
  const inSame = (at) => same.some(([start, length]) => at >= start && at < start + length);
  const runs = stretches(snapshot, (at) => !zero(at) && !inSame(at), GAP);
  const kept = Buffer.concat(runs.map(([start, length]) => snapshot.subarray(start, start + length)));
  writeFileSync(`${folder}/snapshot.bin`, kept);
  let from = 0;
  const hash = createHash("sha256").update(snapshot).digest().join();
  const facts = {
    ...{ heap, size: snapshot.length, loaded, hash },
    runs: runs.map(([start, length]) => [start, from, (from += length)]),
    same: same.map(([start, length]) => [start, start - header, start - header + length]),
  };
  console.log(JSON.stringify(facts));
  process.exit(0); // the unfinished module keeps Node alive
});

// Returns the memory of a module that was just made for this snapshot, before the snapshot is put into it.
function freshMemory(snapshot) {
  return new Promise((resolve, reject) => {
    const make = async (settings) => {
      const module = await create(settings);
      resolve(module.HEAPU8.slice());
      return new Promise(() => {});
    };
    boot({ _loadSnapshot: snapshot, createPyodideModule: make }).catch(reject);
  });
}

// Returns [start, length] of each stretch of pages that `wanted` says yes to, bridging up to `gap` pages.
function stretches(bytes, wanted, gap) {
  const found = [];
  for (let at = 0; at < bytes.length; at += PAGE) {
    if (!wanted(at)) continue;
    const length = Math.min(PAGE, bytes.length - at);
    const last = found.at(-1);
    if (last && at - (last[0] + last[1]) <= gap * PAGE) last[1] = at + length - last[0];
    else found.push([at, length]);
  }
  return found;
}

function zerosAtEnd(bytes, start, length) {
  let end = start + length;
  while (end > start && bytes[end - 1] === 0) end--;
  return Math.floor((start + length - end) / PAGE) * PAGE;
}
