// The SharedWorker: ports wait here until Python is up and takes them. What they say waits in them.
const [waiting, wait] = [[], (port) => waiting.push(port)];
let take = wait;

// Pages and frames queue for this lock; when it is granted to them, this worker is gone.
const id = crypto.randomUUID();
const alive = new Promise((granted) =>
  navigator.locks.request(`masq-alive-${id}`, () => (granted(), new Promise(() => {}))));

// What whoever connects hears first; `tell` is for an app's frame to pass on.
const said = { masq: 1, worker: id };
const greet = (port) => alive.then(() => port.postMessage(JSON.stringify(said)));

const say = (tell) => ((said.tell = tell), waiting.forEach(greet));

self.onconnect = ({ ports: [port] }) => (take(port), greet(port));

async function start() {
  const { startPython } = await import("./python.js");
  const python = await startPython((loaded, total) => say({ frame: "progress", loaded, total }));
  take = await python.pyimport("masq_store.browser.worker").main();
  for (const port of waiting.splice(0)) take(port);
}

// A reload is a new try, for it may well find this worker again: what failed may have passed.
const failed = (error) => {
  console.error("The store could not start.", error);
  say({ frame: "unavailable", reason: String(error), setting: "" });
  take = (port) => ((take = wait), wait(port), delete said.tell, start().catch(failed));
};
start().catch(failed);
