// What Python has JavaScript do in one step, where steps of its own would cost more than the work.

// Awaiting a promise in Python makes a future and a task; these call back instead.
export const ask = (done, failed) => (id, target, method, ...args) =>
  void target[method](...args).then((value) => done(id, value), (error) => failed(id, error));

// Writes to IndexedDB, all or nothing: `drops` are key ranges [first, end), `puts` keys and bytes
// in turn. Resolves to "", or to why nothing was written; that is "Superseded" where another
// engine has claimed the storage since, and so raised the generation, kept under 0.
export const write = (database, generation, drops, ...puts) =>
  new Promise((done) => {
    const transaction = database.transaction("records", "readwrite", { durability: "relaxed" });
    const records = transaction.objectStore("records");
    const abort = (why) => (done(why), transaction.abort());
    const check = ({ target }) => target.result === generation || abort("Superseded");
    transaction.oncomplete = () => done("");
    transaction.onabort = () => done(transaction.error?.name ?? "no reason given");
    try {
      if (generation !== undefined) records.get(0).onsuccess = check;
      for (const [a, b] of drops) records.delete(IDBKeyRange.bound(a, b, false, true));
      for (let i = 0; i < puts.length; i += 2) records.put(puts[i + 1], puts[i]);
    } catch (error) {
      abort(error.name); // what was issued would be written by itself: half a batch
    }
  });

// Has Python hear a port: a text as it is, but a long one as an object that holds it, to be read in
// pieces: to make a text of Python's of one of four million characters takes 50 ms.
export const hear = (port, to) =>
  void (port.onmessage = ({ data }) => to(data?.length > 8192 ? Object(data) : data));
