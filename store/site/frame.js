// The hidden frame: checks who embeds it, finds the worker, and hands the app's port on.
import { connect, hold, ours, parse, released } from "./connect.js";

const frame = crypto.randomUUID();
const tell = (message, origin = "*") =>
  parent.postMessage(JSON.stringify({ masq: 1, ...message }), origin);
const unavailable = (reason, setting = "") =>
  tell({ frame: "unavailable", reason: String(reason), setting });
const failed = (error) => unavailable(...[].concat(error));

// The embedding page of the same host needs no handle: its frame sees the store's own storage.
function sameHost() {
  const outer = location.ancestorOrigins ?? [];
  return (
    outer.length > 0 &&
    [...outer].every((o) => o !== "null" && new URL(o).hostname === location.hostname)
  );
}

async function reach() {
  if (parent === window) throw ["this page belongs into an app's page", ""];
  if (!window.SharedWorker || !window.indexedDB || !navigator.locks) {
    throw ["this browser has no shared workers or no IndexedDB", "a current browser"];
  }
  if (sameHost()) return { SharedWorker, locks: navigator.locks };
  try {
    const wanted = { indexedDB: true, SharedWorker: true, locks: true };
    const handle = await document.requestStorageAccess(wanted);
    // The handle's method, not a constructor: wrapped so that both kinds are called alike.
    const Shared = function (url, options) {
      return handle.SharedWorker(url, options);
    };
    if (handle?.SharedWorker && handle.locks) return { SharedWorker: Shared, locks: handle.locks };
  } catch {}
  throw ["the browser keeps the store's data from this page", "third-party storage (cookies)"];
}

const reached = reach().then(async (access) => {
  await hold(access.locks, `masq-frame-${frame}`);
  return access;
});

let port, attached;

async function open(url) {
  const access = await reached;
  let worker;
  const line = (port = connect(access.SharedWorker, url, receive, unavailable));
  function receive(message, ports) {
    if (line !== port) return;
    if (message.progress) {
      const [loaded, total] = message.progress;
      tell({ frame: "progress", loaded, total });
    }
    if (message.failed) unavailable(message.failed, "");
    if (message.moved) move(message, ports);
    if (!worker && message.worker) {
      worker = message.worker;
      released(access.locks, `masq-alive-${worker}`).then(() => line === port && lost());
    }
  }
}

// A newer build takes over: it gets the app's port back from the old one, unnoticed by the app.
async function move({ moved, sessions }, ports) {
  await (opened = open(moved));
  ports.forEach((app, i) => post(sessions[i], app));
}

function lost() {
  opened = open(ours).then(() => attached && tell({ frame: "lost" }, attached.origin));
  opened.catch(failed);
}

const post = (session, app) =>
  port.postMessage(JSON.stringify({ masq: 1, attach: { ...session, frame } }), [app]);

let opened = open(ours);
opened.catch(failed);

addEventListener("message", async (event) => {
  if (event.source !== parent || parent === window) return;
  const { attach } = parse(event.data);
  if (!attach || event.ports.length !== 1) return;
  if (event.origin === "null") {
    tell({ frame: "refused", reason: "a page without an origin of its own cannot use the store" });
    return;
  }
  const { nonce, name, description, icon } = attach;
  attached = { origin: event.origin, nonce, name, description, icon };
  await opened.then(() => post(attached, event.ports[0])).catch(() => {});
});

tell({ frame: "ready" });
