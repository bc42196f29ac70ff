// The client in Pyodide, which starts from the store's snapshot. Of the store an app has nothing but the client.
import { startPython } from "./python.js";

export async function start() {
  const python = await startPython();
  python.runPython(`
import sys
for name in [name for name in sys.modules if name.split(".")[0] in ("masq", "masq_store")]:
    del sys.modules[name]
`);
  const wheel = await fetch(`${storeAddress}/client/masq-0.1.0.whl`);
  python.unpackArchive(await wheel.arrayBuffer(), "zip");
  python.globals.set("STORE", storeAddress);
  python.runPython(`
import asyncio, json, time, masq

async def __run(call):
    try:
        return json.dumps({"result": await call()})
    except masq.MasqError as error:
        return json.dumps({"error": error.code, "sentence": str(error), "fields": error.fields}, default=repr)
    except Exception as error:
        return json.dumps({"error": type(error).__name__, "sentence": str(error), "fields": {}})
`);
  return (code) => python.runPythonAsync(code + "await __run(__call)");
}
