// The benchmark's page: peers in plain JavaScript, and Masq from JavaScript and from a Python app.
const store = "http://store.localhost:8000";
const peer = store.replace("store.", "peer.");
const timed = async (work) => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};

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
      found(event);
    });
  });

// A raw MessageChannel into a cross-site iframe that echoes.
class Echo {
  static async open() {
    const echo = new Echo();
    const there = frame(`${peer}/echo.html`);
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
export class Masq {
  static async open(query = "") {
    const masq = new Masq();
    const nonce = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
    masq.nonce = nonce;
    const there = (masq.frame = frame(`${store}/frame.html${query}`, `masq-${nonce}`));
    await heard(there, (data) => JSON.parse(data).frame === "ready");
    const { port1, port2 } = new MessageChannel();
    masq.waiting = new Map();
    masq.next = 0;
    masq.status = new Promise((told) => {
      port1.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.status) told(message.status), masq.onstatus?.(message.status);
        for (const [id, result, error] of message.replies ?? []) {
          masq.waiting.get(id)(error ?? result);
          masq.waiting.delete(id);
        }
      };
    });
    const attach = { nonce, name: "Bench", description: "", icon: null };
    there.contentWindow.postMessage(JSON.stringify({ masq: 1, attach }), store, [port2]);
    masq.port = port1;
    return masq;
  }
  call(...call) {
    const id = ++this.next;
    this.port.postMessage(JSON.stringify({ masq: 1, calls: [[id, ...call]] }));
    return new Promise((done) => this.waiting.set(id, done));
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
    transaction.onerror = fail;
  });

async function startPython() {
  const { loadPyodide } = await import("./pyodide/pyodide.mjs");
  const python = await loadPyodide();
  const wheel = await (await fetch(`${store}/client/masq-0.1.0.whl`)).arrayBuffer();
  python.unpackArchive(wheel, "zip");
  await python.runPythonAsync(await (await fetch("bench_app.py")).text());
  const app = python.globals.get("Bench").call(undefined, store);
  return app;
}

let echo, database, cross, app;

// Asked once by the runner, with a click on the button to approve the bench.
globalThis.prepare = async () => {
  echo = await Echo.open();
  database = await openDatabase();
  cross = new CrossStorageClient(`${peer}/hub.html`, { timeout: 20000 });
  await cross.onConnect();
  app = await startPython();
  await app.connect();
  return "ready";
};

const value = "v".repeat(200);
const bytes = new TextEncoder().encode(value);
const message = JSON.stringify({ masq: 1, calls: [[1, "get", "key0"]] });

async function inTurn(count, call) {
  for (let n = 0; n < count; n++) await call(n);
}
const atOnce = (count, call) => Promise.all(Array.from({ length: count }, (_, n) => call(n)));

const rows = {
  "echo, in turn": (n) => timed(() => inTurn(n, () => echo.call(message))),
  "echo, at once": (n) => timed(() => atOnce(n, () => echo.call(message))),
  "cross-storage get, in turn": (n) => timed(() => inTurn(n, () => cross.get("key0"))),
  "cross-storage set, in turn": (n) => timed(() => inTurn(n, (i) => cross.set(`key${i}`, value))),
  "IndexedDB put, in turn": (n) => timed(() => inTurn(n, (i) => put(database, `key${i}`, bytes))),
  "Masq get, in turn": (n) => app.gets_in_turn(n),
  "Masq get, at once": (n) => app.gets_at_once(n),
  "Masq set, in turn": (n) => app.sets_in_turn(n),
  "Masq set, at once": (n) => app.sets_at_once(n),
};

// Milliseconds a call, of one row, for `count` calls.
globalThis.measure = async (row, count) => (await rows[row](count)) / count;

// Milliseconds from the frame's creation to the first answer, as one more tab or app would take.
globalThis.firstGet = async (query) => {
  let masq;
  const took = await timed(async () => {
    masq = await Masq.open(query);
    masq.last = await masq.status;
    await masq.call("get", "key0");
  });
  const { state } = masq.last;
  masq.close();
  return { took, state };
};

globalThis.fill = async (count) => app.fill(count);
globalThis.loaded = true;
