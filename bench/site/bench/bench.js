// The benchmark's page: peers in plain JavaScript, Masq from JavaScript and from a Python app.
const store = "http://store.localhost:8000"; // the server puts its own address here
const peer = store.replace("store.", "peer.");

async function timed(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function frame(src, name = "") {
  const made = document.createElement("iframe");
  Object.assign(made, { src, name, hidden: true });
  document.body.append(made);
  return made;
}

const heard = (from, test) =>
  new Promise((found) => {
    addEventListener("message", function listen(event) {
      if (event.source !== from.contentWindow || !test(event.data)) return;
      removeEventListener("message", listen);
      found();
    });
  });

// A raw MessageChannel into a cross-site iframe that echoes.
class Echo {
  static async open() {
    const echo = new Echo();
    const there = (echo.frame = frame(`${peer}/echo.html`));
    await heard(there, (data) => data === "echo ready");
    const { port1, port2 } = new MessageChannel();
    echo.waiting = [];
    port1.onmessage = ({ data }) => echo.waiting.shift()(data);
    there.contentWindow.postMessage("", peer, [port2]);
    echo.port = port1;
    return echo;
  }
  call(text) {
    return new Promise((done) => {
      this.waiting.push(done);
      this.port.postMessage(text);
    });
  }
}

// Masq's wire format from JavaScript: what a connection costs without an app's own Python.
class Masq {
  static async open(query = "") {
    const masq = new Masq();
    masq.nonce = crypto.randomUUID().replaceAll("-", "");
    masq.frame = frame(`${store}/frame.html${query}`, `masq-${masq.nonce}`);
    const ready = heard(masq.frame, (data) => JSON.parse(data).frame === "ready");
    masq.waiting = new Map();
    masq.next = 0;
    masq.ready = new Promise((told) => (masq.told = told));
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => masq.receive(JSON.parse(data));
    masq.port = port1;
    await ready;
    const attach = { nonce: masq.nonce, name: "Bench", description: "", icon: null };
    masq.frame.contentWindow.postMessage(JSON.stringify({ masq: 1, attach }), store, [port2]);
    return masq;
  }
  receive(message) {
    if (message.mark) this.port.postMessage(JSON.stringify({ masq: 1, read: message.mark }));
    if (message.error) throw new Error(message.error[1]);
    if (message.status?.state === "ready") this.told();
    for (const [id, result, error] of message.replies ?? []) {
      const { done, fail } = this.waiting.get(id);
      this.waiting.delete(id);
      if (error) fail(new Error(error[1]));
      else done(result);
    }
  }
  call(...call) {
    const id = ++this.next;
    this.port.postMessage(JSON.stringify({ masq: 1, calls: [[id, ...call]] }));
    return new Promise((done, fail) => this.waiting.set(id, { done, fail }));
  }
  close() {
    this.port.close();
    this.frame.remove();
  }
}

const openDatabase = () =>
  new Promise((done, fail) => {
    const request = indexedDB.open("bare", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("records");
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });

const put = (database, key, bytes) =>
  new Promise((done, fail) => {
    const transaction = database.transaction("records", "readwrite", { durability: "relaxed" });
    transaction.objectStore("records").put(bytes, key);
    transaction.oncomplete = done;
    transaction.onabort = () => fail(transaction.error);
  });

async function loadPython() {
  const { loadPyodide } = await import("./pyodide/pyodide.mjs");
  return loadPyodide();
}

async function startApp() {
  const python = await loadPython();
  python.unpackArchive(await (await fetch(`${store}/client/masq-0.1.0.whl`)).arrayBuffer(), "zip");
  python.runPython(await (await fetch("bench_app.py")).text());
  const app = python.globals.get("Bench")(store);
  await app.connect();
  return app;
}

const value = "v".repeat(200);
const bytes = new TextEncoder().encode(value);
const message = JSON.stringify({ masq: 1, calls: [[1, "get", "key0"]] });
let masq, echo, database, cross, app;

// Until the person has allowed this page: the button opens the store's window.
async function connect() {
  masq = await Masq.open();
  document.querySelector("#connect").onclick = () =>
    open(`${store}/#connect=${masq.nonce}`, `masq-connect-${masq.nonce}`, "popup,width=480,height=680");
  await masq.ready;
  await masq.call("set", "key0", value);
}

async function prepare() {
  echo = await Echo.open();
  database = await openDatabase();
  cross = new CrossStorageClient(`${peer}/hub.html`, { timeout: 20000 });
  await cross.onConnect();
  await cross.set("key0", value);
  app = await startApp();
}

async function inTurn(count, call) {
  for (let n = 0; n < count; n++) await call(n);
}
const atOnce = (count, call) => Promise.all(Array.from({ length: count }, (_, n) => call(n)));

// Each does `count` calls and gives milliseconds.
const rows = {
  "echo in turn": (n) => timed(() => inTurn(n, () => echo.call(message))),
  "echo at once": (n) => timed(() => atOnce(n, () => echo.call(message))),
  "cross-storage get in turn": (n) => timed(() => inTurn(n, () => cross.get("key0"))),
  "put in turn": (n) => timed(() => inTurn(n, (i) => put(database, `key${i}`, bytes))),
  "get in turn": (n) => app.gets_in_turn(n),
  "get at once": (n) => app.gets_at_once(n),
  "set in turn": (n) => app.sets_in_turn(n),
  "set at once": (n) => app.sets_at_once(n),
  "js get in turn": (n) => timed(() => inTurn(n, () => masq.call("get", "key0"))),
  "js set in turn": (n) => timed(() => inTurn(n, (i) => masq.call("set", `key${i}`, value))),
};

async function measure(row, count) {
  return (await rows[row](count)) / count;
}

// Milliseconds from the frame's creation to the first answer. The page must have been allowed.
async function firstGet(query = "") {
  let fresh;
  const took = await timed(async () => {
    fresh = await Masq.open(query);
    await fresh.call("get", "key0");
  });
  fresh.close();
  return took;
}

// As firstGet, of a frame that only echoes.
async function firstEcho() {
  let fresh;
  const took = await timed(async () => {
    fresh = await Echo.open();
    await fresh.call(message);
  });
  fresh.port.close();
  fresh.frame.remove();
  return took;
}

// That calls are quick because they do not do their work would be no speed.
async function check(count) {
  await app.check(count);
  if ((await cross.get("key0")) !== value) throw new Error("cross-storage gives something else");
}

async function fill(count) {
  for (let from = 0; from < count; from += 500) {
    const pairs = Array.from({ length: 500 }, (_, n) => [`fill/${from + n}`, value]);
    await masq.call("update", pairs);
  }
}

globalThis.bench = { connect, prepare, measure, check, firstGet, firstEcho, fill, stockBoot: () => timed(loadPython) };
