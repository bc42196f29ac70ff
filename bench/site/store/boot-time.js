// On the store's origin: boots its Python as its worker does, and nothing else.
import { startPython } from "./{{app}}/python.js";

await startPython();
globalThis.booted = globalThis.masqBoot;
