// The store's pages as they are built, over an engine made of Python (tests/rig/ui_rig.py): ?scene,scene#/address
import { startPython } from "./app/python.js";

const python = await startPython();
python.globals.set("source", await (await fetch("ui_rig.py")).text());
python.runPython(`
import sys, time, types
sys.modules["ui_rig"] = rig = types.ModuleType("ui_rig")
exec(compile(source, "ui_rig.py", "exec"), rig.__dict__)
from ui_rig import *
from masq_store.ui import app as pages

def store(scene):
    now = int(time.time() * 1000)
    ann = a_profile("Ann", "right" if "passphrase" in scene or "locked" in scene else "")
    other = "https://a-rather-long-name.of-a-subdomain.somewhere.example:8443"
    ann["locked"] = "locked" in scene
    ann["kept"] = [KEPT]
    ann["apps"] = [COUNTER | {"used_ms": now}, COUNTER | {"origin": other, "name": "A long name", "tabs": 2}]
    profiles = [] if "empty" in scene else [ann, a_profile("Bob", "", 2)]
    asked = ABOUT | {"apart": "apart" in scene, "other": OTHER if "other" in scene else None}
    made = Engine(*profiles, request=asked)
    made.wait, made.wait_seconds, made.due = 0.01, 3, True
    made.devices = [HERE | {"added_ms": now}, PHONE | {"clock_off_ms": 300_000, "seen_ms": now - 900_000}]
    if "trouble" in scene:
        made.sync |= {"state": "offline", "waiting": 3, "last_ms": now - 7_200_000, "clock_off_ms": -150_000}
        made.sync |= {"relay": a_relay(RELAY, problem=["X", "The relay does not answer.", {}]), "refused": 2}
    if "alone" in scene:
        made.devices, made.sync = [HERE], made.sync | {"state": "off", "relay": a_relay("", "")}
    if "apart" in scene:
        made.copies = [COPY | {"added_ms": now}, FAR_COPY, COPY | {"id": "ff" * 8, "app": other, "name": "A long name"}]
        made.met = None if "damaged" in scene else "behind" not in scene
    if "trash" in scene:
        made.trash = [TRASHED | {"ms": now}, TRASHED | {"id": "ab" * 16, "origin": other, "keys": None, "bytes": None}]
    if "removed" in scene:
        made.removed = REMOVED | {"state": "kept" if "kept" in scene else "ask"}
    made.stored |= {"k001": "long " * 99, "k002": {"$bytes": "AAEC"}, "k003": ["a", {"b": 1}]}
    return made
`);
python.globals.set("scene", location.search.slice(1));
await python.runPythonAsync("engine = store(scene)\nshown = await pages.start(engine)");
// Another scene in the same page, as one who comes there for the first time finds it.
window.come = (wanted, address) => {
  python.globals.set("scene", wanted);
  history.replaceState(null, "", location.pathname + location.search + address);
  return python.runPythonAsync(`
engine = store(scene)
engine.on_event = shown.told
shown.link, shown.overview = engine, pages.NOTHING
pages.preferences.apply(shown.screen)
await shown.arrive()
`);
};
window.py = (code) => python.runPythonAsync(code);
document.documentElement.dataset.ready = "yes";
