// A page of the store's origin in which Python runs, and nothing else of the store: the contract suite's.
// A driver's own scripts cannot do this in every engine: in Firefox they have no `import()`, and globals of their own.
const text = await (await fetch("../")).text();
const { startPython } = await import(`../${text.match(/app-[0-9a-f]{16}/)[0]}/python.js`);
const python = await startPython();
python.runPython("import sys; sys.path.insert(0, '/tmp')");

window.prepare = async (files, code) => {
  for (const [name, source] of Object.entries(files)) python.FS.writeFile(`/tmp/${name}`, source);
  await python.runPythonAsync(code);
};

// Returns what went wrong, "" where all is well.
window.check = async (code) => {
  try {
    await python.runPythonAsync(code);
    return "";
  } catch (error) {
    return String(error);
  }
};

// Be a browser that stores no CryptoKey: it "throws", or "reads back nothing"; null: be what it is.
const put = IDBObjectStore.prototype.put;
window.refuseKeys = (how) => {
  IDBObjectStore.prototype.put = function (value, ...more) {
    if (!how || !(value instanceof CryptoKey)) return put.call(this, value, ...more);
    if (how === "throws") throw new DOMException("no keys here", "DataCloneError");
    return put.call(this, null, ...more);
  };
};

document.querySelector("#state").textContent = "Python is up.";
