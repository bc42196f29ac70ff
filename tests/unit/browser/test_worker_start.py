"""The store's worker before Python is up, in node: `store/site/worker.js` with a Python that is made up."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from node_rig import find_node
from patience import seconds

WORKER = Path(__file__).parents[3] / "store" / "site" / "worker.js"

PYTHON = """
let tries = 0;
export async function startPython(report) {
  report(tries, 2);
  if (++tries === 1) throw new Error("no network");
  return { pyimport: () => ({ main: async () => (port) => port.told.push("served") }) };
}
"""

SCENE = """
globalThis.self = globalThis;
const locks = { request: async (name, held) => void held() };
Object.defineProperty(globalThis, "navigator", { value: { locks } });
console.error = () => {};
const say = (text) => {
  const { worker, tell } = JSON.parse(text);
  return worker ? tell?.frame ?? "hello" : text;
};
const connect = () => {
  const port = { told: [], postMessage: (text) => port.told.push(say(text)) };
  self.onconnect({ ports: [port] });
  return port;
};
const turn = () => new Promise((done) => setTimeout(done, 50));
await import(process.argv[1]);
const first = connect();
await turn();
const second = connect();
await turn();
const third = connect();
await turn();
console.log(JSON.stringify([first, second, third].map(({ told }) => told.join(" "))));
process.exit(0);
"""


def test_a_start_that_failed_is_tried_again(tmp_path: Path) -> None:
    """Who connects to a worker that could not start has it try once more, and those who wait are served too."""
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "worker.js").write_text(WORKER.read_text("utf-8"))
    (tmp_path / "python.js").write_text(PYTHON)
    done = subprocess.run(
        [find_node(), "--input-type=module", "-e", SCENE, (tmp_path / "worker.js").as_uri()],
        capture_output=True,
        text=True,
        timeout=seconds(60),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        "hello progress unavailable progress served",
        "hello progress served",
        "served progress",  # greeted with how far it was
    ]
