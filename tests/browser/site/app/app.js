// A test app: Pyodide with the shipped client. Tests run Python in it by `py(code)`.
import { startPython } from "./python.js";

globalThis.storeAddress = "http://store.localhost:8000";

async function start() {
  const python = await startPython();
  // It comes from the store's snapshot. Of the store an app has nothing but the client, which it fetches.
  python.runPython(`
import sys
for name in [name for name in sys.modules if name.split(".")[0] in ("masq", "masq_store")]:
    del sys.modules[name]
`);
  const wheel = await fetch(`${storeAddress}/client/masq-0.1.0.whl`);
  python.unpackArchive(await wheel.arrayBuffer(), "zip");
  python.globals.set("STORE", storeAddress);
  python.runPython("import asyncio, json, time, masq");
  return python;
}

const started = start();

// Runs the body of an async function; gives {result} or {error, sentence, fields}.
globalThis.py = async (code) => {
  const python = await started;
  const body = code.split("\n").map((line) => "    " + line).join("\n");
  const text = await python.runPythonAsync(`
async def __call():
${body}

async def __run():
    try:
        return json.dumps({"result": await __call()})
    except masq.MasqError as error:
        return json.dumps({"error": error.code, "sentence": str(error), "fields": error.fields}, default=repr)
    except Exception as error:
        return json.dumps({"error": type(error).__name__, "sentence": str(error), "fields": {}})
await __run()
`);
  // The driver cannot carry half of a surrogate pair.
  return JSON.parse(text, (_, found) => (typeof found === "string" ? found.toWellFormed() : found));
};

// For what must happen in the page while a test does something else.
globalThis.later = {};
globalThis.start = (name, code) => {
  later[name] = null;
  py(code).then((outcome) => (later[name] = { ...outcome, at: performance.timeOrigin + performance.now() }));
};
