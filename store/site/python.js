// Boots Python: from the memory snapshot, or plainly if that fails or the address asks for it.
import * as bridge from "./bridge.js";
import build from "./build.js";

const at = (path) => new URL(path, import.meta.url).href;

// Fills `memory` from the snapshot's file, which holds only what is neither zero nor in `same`.
async function unfold(memory, report) {
  const response = await fetch(at(build.snapshot));
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  const total = build.runs.reduce((sum, [, length]) => sum + length, 0);
  const file = new Uint8Array(total);
  let loaded = 0;
  for (const reader = response.body.getReader(); ; report(loaded, total)) {
    const { done, value } = await reader.read();
    if (done) break;
    file.set(value, loaded);
    loaded += value.length;
  }
  let from = 0;
  for (const [start, length] of build.runs)
    memory.set(file.subarray(from, (from += length)), start);
}

// Memory is filled while the WebAssembly compiles. Its constants, `same`, come from the new module.
async function restore(load, report) {
  const memory = new Uint8Array(build.size);
  const filled = unfold(memory, report);
  filled.catch(() => {}); // it is awaited below; until then a failure is not an unhandled one
  const script = import(at(build.runtime + "pyodide.asm.mjs"));
  const createPyodideModule = async (settings) => {
    const create = (await script).default;
    const [module] = await Promise.all([create(settings), filled]);
    for (const [start, length] of build.same) {
      const from = start - build.header;
      memory.set(module.HEAPU8.subarray(from, from + length), start);
    }
    // A damaged snapshot must not become a damaged Python. The sum takes 10 ms.
    const words = new Uint32Array(memory.buffer, 0, memory.length >> 2);
    let sum = 0;
    for (let i = 0; i < words.length; i++) sum = (Math.imul(sum, 31) + words[i]) | 0;
    if (sum !== build.sum) throw new Error("it is damaged");
    return module;
  };
  return load("late.zip", { _loadSnapshot: memory, createPyodideModule });
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
  globalThis.masqBridge = bridge;
  globalThis.masqBoot = { how, ms: performance.now() - began };
  return python;
}
