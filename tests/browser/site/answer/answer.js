// The store's window in a few lines, for tests that are not about it: makes a profile where there is none, and allows.
import { connect, hold, id, ours, own, pack, parse } from "./connect.js";

const nonce = location.hash.split("=")[1];
const waiting = {};
let number = 0;

function receive(message) {
  for (const [answered, result, error] of message.replies ?? []) {
    waiting[answered]?.[error ? "reject" : "resolve"](error ? new Error(JSON.stringify(error)) : result);
  }
}

await hold(navigator.locks);
const [port] = await connect(own, ours, receive);
port.onmessage = ({ data }) => receive(parse(data));
port.postMessage(pack({ page: { id, at: location.hash } }));

function call(...what) {
  port.postMessage(pack({ calls: [[++number, ...what]] }));
  return new Promise((resolve, reject) => (waiting[number] = { resolve, reject }));
}

// As masq_store/browser/knock.py does it.
const knock = pack({ knock: nonce });
addEventListener("message", ({ origin, data, ports }) => {
  if (origin === location.origin && data === knock && ports.length === 1) port.postMessage(pack({ enrol: {} }), [...ports]);
});
opener?.frames[`masq-${nonce}`]?.postMessage(knock, location.origin);

const { profile } = await call("overview");
if (!profile) await call("create_profile", "Ann", "", false);
const request = await call("request", nonce);
if (!request) throw new Error("no app asks");
await call("answer", nonce, true, request.origin);
close();
