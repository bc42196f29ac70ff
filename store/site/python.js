// Boots Python: from the memory snapshot, or plainly if that fails or the address asks for it.
import * as bridge from "./bridge.js";
import build from "./build.js";

const at = (path) => new URL(path, import.meta.url).href;
const runtime = at(build.runtime);

// Fills `memory` from the snapshot's file, which holds only what is neither zero nor in `same`.
async function unfold(memory, report) {
  const response = await fetch(at(build.snapshot));
  if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  const total = build.runs.at(-1)[2];
  const file = new Uint8Array(total);
  let loaded = 0;
  for (const reader = response.body.getReader(); ; report(loaded, total)) {
    const { done, value } = await reader.read();
    if (done) break;
    file.set(value, loaded);
    loaded += value.length;
  }
  for (const [start, a, b] of build.runs) memory.set(file.subarray(a, b), start);
}

// Memory is filled while the WebAssembly compiles. Its constants, `same`, come from the new module.
async function restore(load, report) {
  const memory = new Uint8Array(build.size);
  const filled = unfold(memory, report);
  filled.catch(() => {}); // it is awaited below; until then a failure is not an unhandled one
  const script = import(runtime + "pyodide.asm.mjs");
  const createPyodideModule = async (settings) => {
    const create = (await script).default;
    const [module] = await Promise.all([create(settings), filled]);
    for (const [start, a, b] of build.same) memory.set(module.HEAPU8.subarray(a, b), start);
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
  const { loadPyodide } = await import(runtime + "pyodide.mjs");
  const fixed = { indexURL: runtime, lockFileContents: build.lock };
  const load = (zip, more) => loadPyodide({ ...fixed, stdLibURL: runtime + zip, ...more });
  const failed = (error) => console.warn("No memory snapshot, so Python boots plainly:", error);
  const plain = new URLSearchParams(location.search).get("boot") === "plain";
  const restored = plain ? undefined : await restore(load, report).catch(failed);
  const python = restored ?? (await bootPlainly(load));
  // A snapshot holds the state of `random` as it was at the build, the same for everybody.
  python.runPython("import random; random.seed()");
  const how = restored ? "snapshot" : "plain";
  globalThis.masqBridge = bridge;
  globalThis.masqBoot = { how, ms: performance.now() - began, ...build };
  return python;
}
