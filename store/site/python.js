// Boots Python: from the memory snapshot, or plainly if that fails or the address asks for it.
import * as bridge from "./bridge.js";
import build from "./build.js";

// Without this Pyodide puts Python on stacks of its own, which the store has no use for, and which
// crash Chromium where its heap profiler looks at them (docs/decisions/0010).
delete WebAssembly.Suspending;

const at = (path) => new URL(path, import.meta.url).href;
const runtime = at(build.runtime);

// Fills `memory` from the snapshot's file, which holds only what is neither zero nor in `same`.
async function unfold(memory, report) {
  const { body } = await fetch(at(build.snapshot));
  let [file, loaded] = [new Uint8Array(build.runs.at(-1)[2]), 0];
  const write = (part) => (file.set(part, loaded), report((loaded += part.length), file.length));
  await body.pipeTo(new WritableStream({ write }));
  for (const [start, a, b] of build.runs) memory.set(file.subarray(a, b), start);
}

// Pyodide adds to its table of functions each export that it does not find there. In WebKit that is
// all of them, for its tables give objects of their own: then the snapshot's pointers meet others.
// A function's name is its number in the module. Where one is the export itself, all are.
const asInTable = (done) => ({ exports: { ...all } }, module) => {
  const [table, named, own] = [all.__indirect_function_table, {}, new Set(Object.values(all))];
  for (let i = 1, f; i < table.length && !own.has((f = table.get(i))); i++) named[f.name] = f;
  for (const key in all) all[key] = named[all[key].name] ?? all[key];
  done({ exports: all }, module);
};

// Memory is filled while the WebAssembly compiles. Its constants, `same`, come from the new module.
async function restore(load, report) {
  const memory = new Uint8Array(build.size);
  const filled = unfold(memory, report);
  filled.catch(() => {}); // it is awaited below; until then a failure is not an unhandled one
  const script = import(runtime + "pyodide.asm.mjs");
  const createPyodideModule = async (settings) => {
    const [create, make] = [(await script).default, settings.instantiateWasm];
    settings.instantiateWasm = (imports, done) => make(imports, asInTable(done));
    const [module] = await Promise.all([create(settings), filled]);
    for (const [start, a, b] of build.same) memory.set(module.HEAPU8.subarray(a, b), start);
    // A damaged snapshot must not become a damaged Python.
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", memory));
    if (hash.join() !== build.hash) throw new Error("it is damaged, or not there");
    return module;
  };
  return load("late.zip", { _loadSnapshot: memory, createPyodideModule });
}

export async function startPython(report = () => {}) {
  const { loadPyodide } = await import(runtime + "pyodide.mjs");
  const fixed = { indexURL: runtime, lockFileContents: build.lock };
  const load = (zip, more) => loadPyodide({ ...fixed, stdLibURL: runtime + zip, ...more });
  const failed = (error) => console.warn("No memory snapshot, so Python boots plainly:", error);
  const plain = new URLSearchParams(location.search).get("boot") === "plain";
  const restored = plain ? undefined : await restore(load, report).catch(failed);
  const python = restored ?? (await load("stdlib.zip"));
  if (!restored) python.unpackArchive(await (await fetch(at(build.code))).arrayBuffer(), "zip");
  // A snapshot holds the state of `random` as it was at the build, the same for everybody.
  python.runPython("import random; random.seed()");
  globalThis.masqBridge = bridge;
  globalThis.masqBoot = { how: restored ? "snapshot" : "plain", ...build };
  return python;
}
