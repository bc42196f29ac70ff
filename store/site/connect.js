// How pages and frames reach the store's one worker.
// A worker asked for with other options than a live one's answers with `error`: one place only.
const options = { name: "masq", type: "module", sameSiteCookies: "none", extendedLifetime: true };

export const ours = new URL("worker.js", import.meta.url);
ours.search = new URLSearchParams(location.search).get("boot") === "plain" ? "?boot=plain" : "";

export const pack = (message) => JSON.stringify({ masq: 1, ...message });
export function parse(text) {
  try {
    const message = JSON.parse(text);
    if (message.masq === 1) return message;
  } catch {}
  return {};
}

export const lacking = !window.SharedWorker || !window.indexedDB || !navigator.locks;

// Where storage is the page's own. A frame may have a handle in its place.
export const own = { SharedWorker: (...how) => new SharedWorker(...how), locks: navigator.locks };

// How all queue for a worker's end: one after the other, a frozen page would keep those behind it.
const shared = { mode: "shared" };

// Resolves once a worker answers: to its port, and to a promise of its end. A worker that is just
// ending may take a connection and never answer it. Asked again, the browser starts another.
export async function connect(access, url, receive) {
  for (let tries = 0; tries < 6; tries++) {
    const worker = access.SharedWorker(url, options);
    const id = await new Promise((answered, failed) => {
      worker.onerror = () => failed(new Error("the store's program could not be loaded"));
      worker.port.onmessage = (event, message = parse(event.data)) =>
        (answered(message.worker), receive(message, event));
      setTimeout(answered, 5000);
    });
    if (id) return [worker.port, access.locks.request(`masq-alive-${id}`, shared, () => {})];
  }
  throw new Error("the store's program does not answer");
}

// Held for as long as this page lives: the worker queues for it, and so learns that we are gone.
export const id = crypto.randomUUID?.(); // in a page that came without https there is no such call
export const hold = (locks) =>
  new Promise((held, refused) =>
    locks.request(`masq-alive-${id}`, () => (held(), new Promise(() => {}))).catch(refused));
