// The store's own page: what must happen before Python is up.
import { connect, hold, lacking, ours, own, pack } from "./connect.js";
import { startPython } from "./python.js";

try {
  document.documentElement.dataset.theme = localStorage.getItem("masq/theme") ?? "";
  document.documentElement.lang = localStorage.getItem("masq/language") ?? "en";
} catch {} // a browser that keeps nothing: what follows says so

const stop = (sentence) => document.querySelector(".opening p")?.replaceChildren(sentence);

// Until Python listens.
function hear({ moved, failed }, _, port) {
  // This page may be older than the worker that serves now: its own would only send it on again.
  if (moved) (sessionStorage.masqWorker = moved), port.postMessage(pack({ left: 1 }));
  if (failed) stop(`The store could not start: ${failed}`);
}

async function start() {
  // Hosts that send no frame-ancestors: inside a frame the page could be clicked by deceit.
  if (window.top !== window) throw "The store does not open inside another page.";
  if (lacking) throw "This browser lacks what the store needs. Please use a current one.";
  const nonce = /^#connect=([0-9a-f]{32})$/.exec(location.hash)?.[1];
  const id = crypto.randomUUID();
  await hold(navigator.locks, `masq-page-${id}`);
  if (nonce) await hold(navigator.locks, `masq-popup-${nonce}`);
  const bar = document.querySelector("#opening");
  const started = startPython((loaded, max) => Object.assign(bar, { max, value: loaded }));
  const url = sessionStorage.masqWorker ?? ours;
  delete sessionStorage.masqWorker;
  const [port, ended] = await connect(own, url, hear);
  ended.then(() => location.reload()); // the page cannot outlive its worker
  port.postMessage(pack({ page: { id, nonce, ticket: sessionStorage.masqTicket } }));
  const python = await started;
  await python.pyimport("masq_store.browser.page").main(port, nonce ?? "");
}

start().catch((error) => {
  console.error(error);
  stop(typeof error === "string" ? error : "The store could not start. Please reload the page.");
});
