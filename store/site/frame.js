// The hidden frame: checks who embeds it, finds the worker, and hands the app's port on.
import { connect, hold, ours, own, pack, parse } from "./connect.js";

const frame = crypto.randomUUID();
const tell = (message, origin = "*") => parent.postMessage(pack(message), origin);

function failed(error) {
  const [reason, setting = ""] = [].concat(error);
  tell({ frame: "unavailable", reason: String(reason), setting });
}

// The embedding page of the same host needs no handle: its frame sees the store's own storage.
function sameHost() {
  const outer = [...(location.ancestorOrigins ?? [])];
  const ofHost = (origin) => URL.parse(origin)?.hostname === location.hostname;
  return outer.length > 0 && outer.every(ofHost);
}

async function reach() {
  if (parent === window) throw ["this page belongs into an app's page", ""];
  if (!window.SharedWorker || !window.indexedDB || !navigator.locks) {
    throw ["this browser has no shared workers or no IndexedDB", "a current browser"];
  }
  if (sameHost()) return own;
  try {
    const wanted = { indexedDB: true, SharedWorker: true, locks: true };
    const handle = await document.requestStorageAccess(wanted);
    const create = (...how) => handle.SharedWorker(...how);
    if (handle?.SharedWorker && handle.locks) return { create, locks: handle.locks };
  } catch {}
  throw ["the browser keeps the store's data from this page", "third-party storage (cookies)"];
}

const reached = reach().then(async (access) => {
  await hold(access.locks, `masq-frame-${frame}`);
  return access;
});

let port, attached, ticket;
let current = {}; // the worker that we listen to

async function open(url) {
  const access = await reached;
  const worker = (current = {});
  const receive = (message, ports, from) => {
    if (message.moved) move(message, ports, from);
    if (worker !== current) return;
    if (message.progress) tell({ frame: "progress", ...message.progress });
    if (message.failed) failed(message.failed);
    if ("ticket" in message) ticket = message.ticket; // it opens the profile for the next worker
  };
  const [line, ended] = await connect(access, url, receive);
  port = line;
  ended.then(() => worker === current && lost());
}

// A newer build takes over: it gets the app's port back from the old one, unnoticed by the app.
// The old worker ends when it has our word: heard of first, its end would mean that it was lost.
function move({ moved, sessions }, ports, from) {
  from.postMessage(pack({ left: 1 }));
  opened = open(moved).then(() => ports.forEach((app, i) => post(sessions[i], app)));
  opened.catch(failed);
}

function lost() {
  opened = open(ours).then(() => attached && tell({ frame: "lost" }, attached.origin));
  opened.catch(failed);
}

const post = (session, app) => port.postMessage(pack({ attach: { ...session, frame, ticket } }), [app]);

let opened = open(ours);
opened.catch(failed);

addEventListener("message", async (event) => {
  if (event.source !== parent || parent === window) return;
  const { attach } = parse(event.data);
  if (!attach || event.ports.length !== 1) return;
  if (event.origin === "null") {
    return tell({ frame: "refused", reason: "a page without an origin cannot use the store" });
  }
  const { nonce, name, description, icon } = attach;
  attached = { origin: event.origin, nonce, name, description, icon };
  await opened.then(() => post(attached, event.ports[0])).catch(() => {});
});

tell({ frame: "ready" });
