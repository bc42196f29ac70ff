// The store's own page: what must happen before Python is up.
import { connect, hold, id, lacking, ours, own, pack } from "./connect.js";
import { startPython } from "./python.js";

document.documentElement.lang = navigator.language.slice(0, 2);
try {
  document.documentElement.dataset.theme = localStorage.getItem("masq/theme") ?? "";
  document.documentElement.lang = localStorage["masq/language"] ?? document.documentElement.lang;
} catch {} // a browser that keeps nothing: what follows says so

async function start() {
  // Hosts that send no frame-ancestors: inside a frame the page could be clicked by deceit.
  if (window.top !== window) throw "framed";
  if (!isSecureContext) throw "insecure";
  if (lacking) throw "lacking";
  await hold(navigator.locks).catch(() => Promise.reject("refused"));
  const bar = document.querySelector("#opening");
  const started = startPython((loaded, max) => Object.assign(bar, { max, value: loaded }));
  const url = sessionStorage.masqWorker ?? ours;
  delete sessionStorage.masqWorker;
  const early = []; // what the worker says before Python listens; a ticket works once: kept now
  const hear = ({ ticket: t }, e) => early.push(e.data) && t && (sessionStorage.masqTicket = t);
  const [port, ended] = await connect(own, url, hear);
  ended.then(() => location.reload()); // the page cannot outlive its worker
  port.postMessage(pack({ page: { id, at: location.hash, ticket: sessionStorage.masqTicket } }));
  await (await started).pyimport("masq_store.browser.page").main(port, early);
}

// What is said of it stands in index.html, in the languages of its readers.
start().catch((why) => {
  console.error(why);
  const said = document.getElementById(`why-${why}`) ?? document.getElementById("why-failed");
  document.querySelector(".opening p")?.replaceChildren(...said.content.cloneNode(true).children);
});
