// The client in MicroPython, which starts in a tenth of a second.
import { loadMicroPython } from "./micropython/micropython.mjs";

const HEAP_BYTES = 32 * 1024 * 1024;
const STACK_WORDS = 256 * 1024;

export async function start() {
  const [python, files] = await Promise.all([
    loadMicroPython({ url: new URL("./micropython/micropython.wasm", import.meta.url).href, heapsize: HEAP_BYTES, pystack: STACK_WORDS }),
    fetch(new URL("./client.json", import.meta.url)).then((answer) => answer.json()),
  ]);
  python.FS.mkdir("/client");
  python.FS.mkdir("/client/masq");
  for (const name in files) python.FS.writeFile(`/client/masq/${name}`, files[name]);
  python.globals.set("STORE", storeAddress);
  python.runPython(`
import asyncio, json, sys, time
sys.path.append("/client")
import masq

async def __run(call):
    try:
        return json.dumps({"result": await call()})
    except masq.MasqError as error:
        return json.dumps({"error": error.code, "sentence": str(error), "fields": error.fields})
    except Exception as error:
        return json.dumps({"error": type(error).__name__, "sentence": str(error), "fields": {}})
`);
  let calls = 0;
  return async (code) => {
    const name = `__outcome_${++calls}`;
    await python.runPythonAsync(`${code}${name} = await __run(__call)`);
    const outcome = python.globals.get(name);
    python.globals.delete(name);
    return outcome;
  };
}
