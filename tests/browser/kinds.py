"""Pages of every kind: the counter's, each with the `<script>` that docs/apps.md shows for that kind."""

from __future__ import annotations

import re
from pathlib import Path

from browser.sites import copy_lightly

from build.places import ROOT
from build.server import Handler

DOCUMENT = ROOT / "docs" / "apps.md"

SCRIPT = re.compile(r'<script type="py".*?</script>', re.DOTALL)
"""The counter's own way to start Python, whose place the others take."""

KINDS = {
    "py": "PyScript",
    "mpy": "MicroPython",
    "worker": "A worker",
    "mpy-worker": "MicroPython in a worker",
    "pyodide": "Pyodide alone",
    "files": "The client as files",
}
"""The section of the document that shows each kind."""

ISOLATED = ("worker", "mpy-worker", "isolated")
"""Pages that are served cross-origin isolated."""

PYSCRIPT = """python.registerJsModule("pyscript", {
    document,
    when: (event, selector) => (called) => {
      const kept = called.copy();
      document.querySelector(selector).addEventListener(event, () => kept());
    },
  });
  await python.runPythonAsync("""
"""What the counter uses of PyScript, for a page that has none."""

WORKER_ALONE = """<script type="module">
  const source = new URL("./pyscript/pyodide/pyodide.mjs", location);
  const worker = new Worker(URL.createObjectURL(new Blob([`
    import { loadPyodide } from "${source}";
    const python = await loadPyodide();
    const client = await fetch("http://store.localhost:8000/client/masq-0.1.0.whl");
    python.unpackArchive(await client.arrayBuffer(), "zip");
    const program = await fetch("${new URL("./main.py", location)}");
    await python.runPythonAsync(await program.text());
  `], { type: "text/javascript" })), { type: "module" });
</script>
"""
"""Pyodide in a worker of the page's own, which knows nothing of its page."""

CLOCK = """<script>
  // Milliseconds from the start of the navigation to the first number that Python has put into the page.
  const seen = () => (globalThis.shown ??= performance.now());
  new MutationObserver(seen).observe(document.querySelector("#count"), { childList: true, characterData: true });

  // The listeners that are there, of everything in the page: `event` of what.
  globalThis.listening = [];
  const called = (type, of) => `${type} of ${of.id || of.constructor.name}`;
  const { addEventListener: add, removeEventListener: remove } = EventTarget.prototype;
  EventTarget.prototype.addEventListener = function (type, ...how) {
    listening.push(called(type, this ?? window));
    return add.call(this ?? window, type, ...how);
  };
  EventTarget.prototype.removeEventListener = function (type, ...how) {
    const at = listening.indexOf(called(type, this ?? window));
    if (at >= 0) listening.splice(at, 1);
    return remove.call(this ?? window, type, ...how);
  };
</script>
"""


def snippets() -> dict[str, str]:
    """Return the document's first piece of HTML of each section, by the section's title."""
    sections = re.split(r"^## ", DOCUMENT.read_text("utf-8"), flags=re.MULTILINE)[1:]
    found = {}
    for section in sections:
        if block := re.search(r"```html\n(.*?)```", section, re.DOTALL):
            found[section.splitlines()[0]] = block[1].strip()
    return found


def script_of(kind: str) -> str:
    """Return the HTML that starts the counter's program in a page of this kind."""
    return snippets()[KINDS[kind]].replace("await python.runPythonAsync(", PYSCRIPT.rstrip("\n"))


def make_page(dist: Path, target: Path, script: str, program: str | None = None) -> None:
    """Fill `target` with the counter, started by `script`. `program`: Python to run in place of the counter's."""
    copy_lightly(dist / "counter", target)
    page = (target / "index.html").read_text("utf-8")
    assert SCRIPT.search(page)
    (target / "index.html").unlink()
    (target / "index.html").write_text(SCRIPT.sub(lambda _: CLOCK + script, page), "utf-8")
    if program is not None:
        (target / "main.py").unlink()
        (target / "main.py").write_text(program, "utf-8")


class Isolating(Handler):
    """Serves some pages cross-origin isolated, with the headers that the document names."""

    def _send(self, status: int, headers: dict[str, str], body: bytes | None) -> None:
        if self._site().startswith(ISOLATED):
            named = re.findall(r"^(Cross-Origin-\S+): (\S+)$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
            headers |= dict(named)
        super()._send(status, headers, body)
