// Boots Python: from the memory snapshot, or plainly where that does not fit or the address says `?boot=plain`.
import build from "./build.js";

const at = (path) => new URL(path, import.meta.url).href;

// Fills `memory` from the snapshot's file, which holds only the runs of it that are not zero.
async function unfold(memory, report) {
  const response = await fetch(at(build.snapshot));
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  const file = new Uint8Array(build.runs.reduce((sum, [, length]) => sum + length, 0));
  let loaded = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    file.set(value, loaded);
    report((loaded += value.length), file.length);
  }
  // A damaged snapshot must not become a damaged Python. The sum takes about 5 ms.
  let sum = 0;
  for (const word of new Uint32Array(file.buffer)) sum = (Math.imul(sum, 31) + word) | 0;
  if (loaded !== file.length || sum !== build.sum) throw new Error("it is damaged");
  let from = 0;
  for (const [start, length] of build.runs)
    memory.set(file.subarray(from, (from += length)), start);
}

// Python's memory is filled while its WebAssembly compiles: Pyodide reads it after the module is made.
async function restore(load, report) {
  const memory = new Uint8Array(build.size);
  const filled = unfold(memory, report);
  const { default: create } = await import(at(build.runtime + "pyodide.asm.mjs"));
  const make = async (settings) => (await Promise.all([create(settings), filled]))[0];
  return load("late.zip", { _loadSnapshot: memory, createPyodideModule: make });
}

async function bootPlainly(load) {
  const code = fetch(at(build.code)).then((response) => response.arrayBuffer());
  const python = await load("stdlib.zip");
  python.unpackArchive(await code, "zip");
  return python;
}

export async function startPython(report = () => {}) {
  const began = performance.now();
  const { loadPyodide } = await import(at(build.runtime + "pyodide.mjs"));
  const fixed = { indexURL: at(build.runtime), lockFileContents: build.lock };
  const load = (library, more) =>
    loadPyodide({ ...fixed, stdLibURL: at(build.runtime + library), ...more });
  let how = new URLSearchParams(location.search).get("boot") === "plain" ? "plain" : "snapshot";
  let python;
  try {
    if (how === "snapshot") python = await restore(load, report);
  } catch (error) {
    console.warn("The memory snapshot cannot be used, so Python boots plainly:", error);
  }
  if (!python) (how = "plain"), (python = await bootPlainly(load));
  // A snapshot holds the state of `random` as it was at the build, the same for everybody.
  python.runPython("import random; random.seed()");
  globalThis.masqBoot = { how, ms: performance.now() - began };
  return python;
}
