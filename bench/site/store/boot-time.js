// On the store's origin: boots its Python as its worker does, and nothing else.
import { startPython } from "./{{app}}/python.js";

const began = performance.now();
await startPython();
globalThis.booted = { how: globalThis.masqBoot.how, ms: performance.now() - began };
