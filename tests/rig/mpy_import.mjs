// Imports modules under PyScript's MicroPython. Arguments: the client's folder, then module names.
import { readdirSync, readFileSync } from "node:fs";
import { loadMicroPython } from "../../node_modules/@micropython/micropython-webassembly-pyscript/micropython.mjs";

const [folder, ...modules] = process.argv.slice(2);
const python = await loadMicroPython({ heapsize: 8 * 1024 * 1024 });
python.FS.mkdir("/masq");
for (const name of readdirSync(`${folder}/masq`))
  if (name.endsWith(".py")) python.FS.writeFile(`/masq/${name}`, readFileSync(`${folder}/masq/${name}`));
python.runPython("import sys\nsys.path.insert(0, '/')");
for (const module of modules) python.runPython(`import ${module}`);
console.log("imported", modules.join(" "));
