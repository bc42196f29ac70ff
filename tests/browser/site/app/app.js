// A test app: the shipped client in MicroPython or Pyodide. Tests run Python in it by `py(code)`.
import { start } from "./start.js";

globalThis.storeAddress = "http://store.localhost:8000";

const started = start();

// Runs the body of an async function; gives {result} or {error, sentence, fields}.
globalThis.py = async (code) => {
  const run = await started;
  const body = code.split("\n").map((line) => "    " + line).join("\n");
  const text = await run(`
async def __call():
${body}
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

// Where a test is not about the store's window, a page of few lines answers in its place (../answer).
const open = globalThis.open.bind(globalThis);
globalThis.answered = false;
globalThis.open = (url, ...how) => open(answered ? url.replace("/#", "/answer/#") : url, ...how);
