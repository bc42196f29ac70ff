// How pages and frames reach the store's one worker.
// A worker asked for with other options than a live one's answers with `error`: one place only.
const options = { name: "masq", type: "module", sameSiteCookies: "none", extendedLifetime: true };

export const ours = new URL("worker.js", import.meta.url);
ours.search = new URLSearchParams(location.search).get("boot") === "plain" ? "?boot=plain" : "";

export const parse = (text) => {
  try {
    const message = JSON.parse(text);
    return message?.masq === 1 ? message : {};
  } catch {
    return {};
  }
};

export function connect(SharedWorker, url, receive, fail) {
  const worker = new SharedWorker(url, options);
  worker.onerror = () => fail("the store's program could not be loaded");
  worker.port.onmessage = (event) => receive(parse(event.data), event.ports);
  return worker.port;
}

// Resolves when whoever holds the lock has gone.
export const released = (locks, name) => locks.request(name, () => {});

// Held for as long as this page lives: the worker queues for it, and so learns that we are gone.
export const hold = (locks, name) =>
  new Promise((held) => locks.request(name, () => (held(), new Promise(() => {}))));
