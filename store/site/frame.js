// The hidden frame: checks who embeds it, finds the worker, and hands the app's port on.
import { connect, hold, lacking, ours, own, pack, parse } from "./connect.js";

const frame = crypto.randomUUID();
const tell = (message, origin = "*") => parent.postMessage(pack(message), origin);

function failed(error) {
  const [reason, setting = ""] = [].concat(error);
  tell({ frame: "unavailable", reason: String(reason), setting });
}

// The embedding page of the same host needs no handle: its frame sees the store's own storage.
const ofHost = (origin) => URL.parse(origin)?.hostname === location.hostname;
const sameHost = () => [...(location.ancestorOrigins ?? [""])].every(ofHost);

async function reach() {
  if (parent === window) throw ["this page belongs into an app's page", ""];
  if (lacking) throw ["this browser has no shared workers or no IndexedDB", "a current browser"];
  const wanted = { indexedDB: true, SharedWorker: true, locks: true };
  const access = sameHost() ? own : await document.requestStorageAccess?.(wanted).catch(() => {});
  if (!access?.SharedWorker || !access.locks) {
    throw ["the browser keeps the store's data from this page", "third-party storage (cookies)"];
  }
  await hold(access.locks, `masq-frame-${frame}`);
  return access;
}

const reached = reach();
// `current`: the worker that we listen to; `ticket`: what opens the profile for the one after it.
let port, attached, opened, current, ticket;

async function open(url) {
  const access = await reached;
  const worker = (current = {});
  const receive = (message, ports, from) => {
    if (message.moved) move(message, ports, from);
    if (worker !== current) return;
    if (message.progress) tell({ frame: "progress", ...message.progress });
    if (message.failed) failed(message.failed);
    if ("ticket" in message) ticket = message.ticket;
  };
  const [line, ended] = await connect(access, url, receive);
  port = line;
  const lost = () => attached && tell({ frame: "lost" }, attached.origin);
  ended.then(() => worker === current && use(ours, lost));
}

// Goes to the worker at `url`: apps attach there from now on, after `first` has been done.
function use(url, first) {
  opened = open(url).then(first);
  opened.catch(failed);
}

// A newer build takes over: it gets the app's port back from the old one, unnoticed by the app.
// The old worker ends when it has our word: heard of first, its end would mean that it was lost.
function move({ moved, sessions }, ports, from) {
  from.postMessage(pack({ left: 1 }));
  use(moved, () => ports.forEach((app, i) => post(sessions[i], app)));
}

const post = (about, app) => port.postMessage(pack({ attach: { ...about, frame, ticket } }), [app]);

use(ours);

// This page and its scripts are kept for when there is no network, in a partition of their own.
const keep = () => navigator.serviceWorker?.register("frame-worker.js", { scope: "frame.html" });
opened.then(keep).catch(() => {});

addEventListener("message", ({ source, origin, data, ports }) => {
  const { attach } = parse(data);
  if (source !== parent || parent === window || !attach || ports.length !== 1) return;
  const refused = { frame: "refused", reason: "a page without an origin cannot use the store" };
  if (origin === "null") return tell(refused);
  const { nonce, name, description, icon } = attach;
  attached = { origin, nonce, name, description, icon };
  opened.then(() => post(attached, ports[0])).catch(() => {});
});

tell({ frame: "ready" });
