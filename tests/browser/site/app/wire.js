// The wire format by hand: what an app could send that does without the client and its checks.
export class Wire {
  static async open(store, details = {}) {
    const wire = new Wire();
    const nonce = [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
    const frame = (wire.frame = document.createElement("iframe"));
    Object.assign(frame, { src: `${store}/frame.html`, name: `masq-${nonce}`, hidden: true });
    wire.windowMessages = [];
    const ready = new Promise((done) =>
      addEventListener("message", ({ source, data }) => {
        if (source !== frame.contentWindow) return;
        wire.windowMessages.push(JSON.parse(data));
        done();
      }),
    );
    document.body.append(frame);
    await ready;
    const { port1, port2 } = new MessageChannel();
    wire.port = port1;
    wire.heard = [];
    wire.next = 1_000_000;
    const first = new Promise((done) => (port1.onmessage = ({ data }) => wire.take(JSON.parse(data), done)));
    const attach = { nonce, name: "Wire", description: "", icon: null, ...details };
    frame.contentWindow.postMessage(JSON.stringify({ masq: 1, attach }), store, [port2]);
    wire.first = await first;
    wire.heard = [];
    return wire;
  }
  take(message, first) {
    first(message);
    if (message.mark) return this.port.postMessage(JSON.stringify({ masq: 1, read: message.mark }));
    const others = message.replies?.filter(([id]) => id !== this.pingId); // both may come in one message
    const pinged = message.replies?.length > others?.length;
    if (!pinged || others.length) this.heard.push(others ? { ...message, replies: others } : message);
    if (pinged) this.answered();
  }
  // Everything that the store says to `sent` (a text, or anything else) before its answer to a ping.
  async ask(sent) {
    this.heard = [];
    const answered = new Promise((done) => (this.answered = done));
    this.port.postMessage(sent);
    this.pingId = ++this.next;
    this.port.postMessage(JSON.stringify({ masq: 1, calls: [[this.pingId, "ping"]] }));
    await answered;
    return this.heard;
  }
}
