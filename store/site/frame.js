// The hidden frame: checks who embeds it, finds the worker, and hands the app's port on.
import { connect, hold, id, lacking, ours, own, pack, parse } from "./connect.js";

const tell = (message, origin = "*") => parent.postMessage(pack(message), origin);

// An error's cause is the setting to change.
const failed = (why) => tell({ frame: "unavailable", reason: why.message, setting: why.cause });

// A page of the store's host, or below it, needs no handle: its frame sees the store's own storage.
// In WebKit, which keeps every origin apart, only a page of the same origin.
const site = (url) => [url?.protocol, ...`${url?.hostname}`.split(".").reverse(), ""].join(".");
const below = (origin) => site(URL.parse(origin)).startsWith(site(location));
const sees = navigator.vendor.startsWith("Apple") ? (origin) => origin === location.origin : below;
const above = [...(location.ancestorOrigins ?? [""])]; // the app's own page first
// An app inside a page of another origin gets a partition, as if the browser kept us apart: no more
// than storage of its own would hold there, whatever is in reach (docs/decisions/0007).
const nested = above.some((origin) => origin !== above[0]);

// Where the browser keeps the store from us, we are `apart`, with a worker and storage of our own.
// Inside another page it is one that is never handed back: it may lie in the store's own storage.
const partition = new URL(`${ours.search || "?"}&partition=${nested ? "nested" : ""}`, ours);
// `tickets`: what opens an app's data for the worker after this one, where this one ends.
let [apart, home, tickets] = [false, ours, {}];

async function reach() {
  if (parent === window) throw new Error("this page belongs into an app's page");
  if (origin === "null") throw new Error("the app's page has no origin", { cause: "its sandbox" });
  if (!isSecureContext) throw new Error("the app has no https", { cause: "its https address" });
  if (lacking) throw new Error("it lacks what the store needs", { cause: "a current browser" });
  const wanted = { indexedDB: true, SharedWorker: true, locks: true };
  const ask = () => document.requestStorageAccess?.(wanted).catch(() => {});
  const given = nested || (sees(above[0]) ? own : await ask());
  const access = (apart = !given?.SharedWorker || !given.locks) ? own : given;
  const refused = new Error("it refuses storage", { cause: "site data (cookies) for the store" });
  await hold(access.locks).catch(() => Promise.reject(refused));
  if (apart) [home, tickets] = [partition, sessionStorage];
  return access;
}

const reached = reach();
// `port`: of the worker that serves us now. `stranger`: our app's port, while it is one.
let [opened, port, attached, stranger, due] = [, , , []];

async function open(url) {
  const access = await reached;
  const receive = (message, { ports, target }) => {
    if (message.tell) tell(message.tell);
    if ("ticket" in message) tickets[attached.origin] = message.ticket ?? "";
    if (message.refused) refuse(message.refused, ...(stranger = [...ports]));
    if (message.admitted) stranger.splice(0).forEach((app) => post({ ...attached, again: 1 }, app));
    if (message.moved) move(message, ports, target);
    if ("strip" in message) document.body.innerHTML = message.strip;
  };
  const [line, end] = await connect(access, url ?? home, receive);
  port = line;
  end.then(() => port === line && use(() => attached && tell({ frame: "lost" }, attached.origin)));
}

// Goes to the worker at `url`, or our own: apps attach there from now on, once `first` is done.
const use = (first, url) => void (opened = open(url).then(first)).catch(failed);

// A newer build takes over: it gets the app's port back from the old one, unnoticed by the app.
// The old worker waits for our word, given when the new one has what we hold, the ticket above all.
// It ends then: heard of first, its end would mean that it was lost.
function move({ moved, sessions }, ports, from) {
  port = undefined;
  const apps = [...ports, ...stranger.splice(0)];
  const attach = () => apps.forEach((app, i) => post(sessions[i] ?? attached, app));
  use(() => (attach(), from.postMessage(pack({ left: 1 }))), moved);
}

const post = (about, app) =>
  port.postMessage(pack({ attach: { ...about, id, ticket: tickets[about.origin] } }), [app]);

use();

// An app that the person has not allowed is answered here, and the worker, whose time is all apps',
// hears nothing of it but that the store's window was cut off, or closed: once, however often.
function refuse(refusal, app) {
  const say = (severed) => opened.then(() => (due = port.postMessage(pack({ severed }))));
  const severed = (closed) => ((due ??= setTimeout(say, 50, closed === true)), []);
  const answer = (of) => [of[0], null, ...(of[1] === "severed" ? severed(of[2]) : [refusal])];
  app.onmessage = ({ data }) => {
    const { calls } = parse(data?.length > 1024 ? "" : data);
    const replies = Array.isArray(calls) && calls.map(Object).map(answer);
    app.postMessage(pack(replies ? { replies } : { error: refusal }));
  };
}

// Joins a partition's worker to the store's: returns, in a list, the end that the store is to get.
const join = (worker, { port1, port2 } = new MessageChannel()) =>
  (worker.postMessage(pack({ enrol: attached }), [port1]), [port2]);

// Once the browser lets us reach the store, what our partition still holds goes there.
async function handBack() {
  if (apart || !(await indexedDB.databases()).some(({ name }) => name === "masq-partition")) return;
  port.postMessage(pack({ enrol: {} }), join((await connect(own, partition, () => {}))[0]));
}

// This page and its scripts are kept for when there is no network, in a partition of their own.
const keep = () => navigator.serviceWorker?.register("frame-worker.js", { scope: "frame.html" });
opened.then(keep).catch(() => {});

// What the partition's worker asks in a strip, it is answered: the app's page sees nothing of it.
addEventListener("submit", ({ target }) => port.postMessage(pack({ paste: target.link.value })));

addEventListener("message", ({ source, origin, data, ports }) => {
  const { attach, knock } = parse(data);
  // A window of the store, opened by our app.
  if (apart && origin === location.origin && knock && knock === attached?.app.nonce) {
    opened.then(() => source.postMessage(data, origin, join(port)));
  }
  if (source !== parent || parent === window || !attach || ports.length !== 1) return;
  [attached, stranger] = [{ origin, app: attach }, []];
  opened.then(() => (post(attached, ports[0]), handBack())).catch(() => {});
});

tell({ frame: "ready" });
