"""How the ports of an app in a worker of PyScript reach the page, with a page that is made up."""

import sys
from types import SimpleNamespace

from masq import ffi
from masq import frame as window
from masq.worker_frame import FarFrame


def test_each_port_arrives(monkeypatch):
    """A second port that leaves before the first has arrived is passed on too, and it is the last."""
    left, passed, heard = [], [], []
    iframe = SimpleNamespace(
        contentWindow=SimpleNamespace(
            postMessage=lambda text, origin, ports: passed.append((text, origin, ports))
        )
    )

    def made(self, url, on_message, on_fault):
        self._iframe, self.origin = iframe, url

    script = SimpleNamespace(xworker="the page")
    monkeypatch.setitem(sys.modules, "polyscript", SimpleNamespace(currentScript=script))
    monkeypatch.setitem(
        sys.modules, "js", SimpleNamespace(postMessage=lambda text, ports: left.append((text, ports)))
    )
    monkeypatch.setattr(window.Frame, "__init__", made)
    monkeypatch.setattr(ffi, "Listener", lambda target, event, function: heard.append(function))
    monkeypatch.setattr(window.Frame, "_drop_port", lambda self: None)
    monkeypatch.setattr(ffi, "array", lambda *items: list(items))
    monkeypatch.setattr(
        ffi,
        "message_channel",
        lambda: (SimpleNamespace(start=lambda: None, postMessage=print), len(left)),
    )
    frame = FarFrame("https://store.example", print, print)
    arrived = heard[0]
    frame.nonce = "0" * 32
    for _ in range(2):
        frame.attach({"name": "Test"}, print)
    arrived(SimpleNamespace(data="the app's own", ports=[]))
    for text, ports in left:
        arrived(SimpleNamespace(data=text, ports=ports))
    arrived(SimpleNamespace(data=left[0][0], ports=["nobody's"]))
    assert [(origin, ports) for _, origin, ports in passed] == [
        ("https://store.example", [0]),
        ("https://store.example", [1]),
    ]
