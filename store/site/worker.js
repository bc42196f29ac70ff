// The SharedWorker: ports wait here, with what they said, until Python is up and takes them.
const waiting = [];
let take = (port, early) => waiting.push([port, early]);
let latest = {};

// Pages and frames queue for this lock; when it is granted to them, this worker is gone.
const id = crypto.randomUUID();
const alive = new Promise((granted) => {
  navigator.locks.request(`masq-alive-${id}`, () => (granted(), new Promise(() => {})));
});

self.onconnect = ({ ports: [port] }) => {
  const early = [];
  port.onmessage = (event) => early.push(event);
  take(port, early);
  alive.then(() => port.postMessage(JSON.stringify({ masq: 1, worker: id, ...latest })));
};

const say = (message) => {
  latest = message;
  for (const [port] of waiting) port.postMessage(JSON.stringify({ masq: 1, ...message }));
};

async function start() {
  const { startPython } = await import("./python.js");
  const python = await startPython((loaded, total) => say({ progress: { loaded, total } }));
  take = await python.pyimport("masq_store.browser.worker").main();
  latest = {};
  for (const early of waiting.splice(0)) take(...early);
}

start().catch((error) => {
  console.error("The store could not start.", error);
  say({ failed: String(error) });
});
