// Boots Python: from the memory snapshot, or plainly where that does not fit or the address says `?boot=plain`.
import build from "./build.js";

const at = (path) => new URL(path, import.meta.url).href;

// Reads a file with its progress, into memory that is allocated once.
async function read(path, size, report) {
  const response = await fetch(at(path));
  if (!response.ok) throw new Error(`${path}: HTTP status ${response.status}`);
  const bytes = new Uint8Array(size);
  let loaded = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes.set(value, loaded);
    report((loaded += value.length), size);
  }
  if (loaded !== size) throw new Error(`${path}: ${loaded} of ${size} bytes`);
  return bytes;
}

// A damaged snapshot must not become a damaged Python. 31 MB take about 10 ms.
function check(bytes) {
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >> 2);
  let sum = 0;
  for (let i = 0; i < words.length; i++) sum = (Math.imul(sum, 31) + words[i]) | 0;
  if (sum !== build.sum) throw new Error("the snapshot is damaged");
  return bytes;
}

async function restore(load, report) {
  return load({ _loadSnapshot: read(build.snapshot, build.size, report).then(check) });
}

async function boot(load, report) {
  const code = fetch(at(build.code)).then((response) => response.arrayBuffer());
  const python = await load({});
  python.unpackArchive(await code, "zip");
  report(build.size, build.size);
  return python;
}

export async function startPython(report = () => {}) {
  const began = performance.now();
  const { loadPyodide } = await import(at(build.runtime + "pyodide.mjs"));
  const stdLibURL = at(build.runtime + "stdlib.zip");
  const load = (more) =>
    loadPyodide({ indexURL: at(build.runtime), stdLibURL, lockFileContents: build.lock, ...more });
  let how = new URLSearchParams(location.search).get("boot") === "plain" ? "plain" : "snapshot";
  let python;
  try {
    if (how === "snapshot") python = await restore(load, report);
  } catch (error) {
    console.warn("The memory snapshot did not load; booting plainly.", error);
  }
  if (!python) (how = "plain"), (python = await boot(load, report));
  // A snapshot holds the state of `random` as it was at the build, the same for everybody.
  python.runPython("import random; random.seed()");
  globalThis.masqBoot = { how, ms: performance.now() - began };
  return python;
}
