// Runs micropython_values.py under PyScript's MicroPython: node micropython.mjs <repository>
import { readFileSync } from "node:fs";
const root = process.argv[2];
const folder = `${root}/node_modules/@micropython/micropython-webassembly-pyscript`;
const { loadMicroPython } = await import(`${folder}/micropython.mjs`);
const python = await loadMicroPython({ stdout: (line) => console.log(line), linebuffer: true, heapsize: 4 << 20 });
python.FS.mkdir("/lib");
python.FS.mkdir("/lib/masq");
python.FS.writeFile("/lib/masq/__init__.py", ""); // the client's own needs a page
for (const name of ["errors.py", "base64_micropython.py", "messages.py"])
  python.FS.writeFile(`/lib/masq/${name}`, readFileSync(`${root}/client/masq/${name}`, "utf8"));
python.FS.writeFile("/lib/values.json", readFileSync(`${root}/tests/vectors/values.json`, "utf8"));
try {
  python.runPython(readFileSync(`${root}/tests/rig/micropython_values.py`, "utf8"));
} catch (error) {
  console.log(error.message);
  process.exit(1);
}
