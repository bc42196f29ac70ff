// The store's own page: what must happen before Python is up.
import { connect, hold, id, lacking, ours, own, pack } from "./connect.js";
import { startPython } from "./python.js";

try {
  document.documentElement.dataset.theme = localStorage.getItem("masq/theme") ?? "";
  document.documentElement.lang = localStorage.getItem("masq/language") ?? "en";
} catch {} // a browser that keeps nothing: what follows says so

async function start() {
  // Hosts that send no frame-ancestors: inside a frame the page could be clicked by deceit.
  if (window.top !== window) throw "The store does not open inside another page.";
  if (!isSecureContext) throw "The store works over https only. Please open its https address.";
  if (lacking) throw "This browser lacks what the store needs. Please use a current one.";
  await hold(navigator.locks);
  const bar = document.querySelector("#opening");
  const started = startPython((loaded, max) => Object.assign(bar, { max, value: loaded }));
  const url = sessionStorage.masqWorker ?? ours;
  delete sessionStorage.masqWorker;
  const early = []; // what the worker says before Python listens
  const [port, ended] = await connect(own, url, (_, event) => early.push(event.data));
  ended.then(() => location.reload()); // the page cannot outlive its worker
  port.postMessage(pack({ page: { id, at: location.hash, ticket: sessionStorage.masqTicket } }));
  await (await started).pyimport("masq_store.browser.page").main(port, early);
}

start().catch((error) => {
  console.error(error);
  const said = typeof error === "string" ? error : "The store could not start. Please reload it.";
  document.querySelector(".opening p")?.replaceChildren(said);
});
