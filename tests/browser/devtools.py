"""The browser's DevTools protocol, for what a driver cannot ask: the store's worker, its end, and the disk's size."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import websocket  # comes with selenium


class DevTools:
    """A connection to the whole browser; `with` closes it."""

    def __init__(self, driver: Any) -> None:
        address = driver.capabilities["goog:chromeOptions"]["debuggerAddress"]
        with urllib.request.urlopen(f"http://{address}/json/version") as answer:
            url = json.load(answer)["webSocketDebuggerUrl"]
        # The browser refuses a connection that names an origin.
        self._socket = websocket.create_connection(url, timeout=30, suppress_origin=True)
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> DevTools:
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method and return its result; events that arrive meanwhile go to `events`."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])
            self.events.append(answer)

    def workers(self) -> list[dict[str, Any]]:
        """Return the shared workers that live, with `targetId` and `url`."""
        found = self.call("Target.getTargets", filter=[{"type": "shared_worker"}])["targetInfos"]
        return [target for target in found if target["type"] == "shared_worker"]

    def attach(self, target: dict[str, Any]) -> str:
        """Return a session with a target."""
        return str(self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"])

    def evaluate(self, target: dict[str, Any], expression: str) -> Any:
        """Evaluate JavaScript in a target and return its value."""
        return self.call(
            "Runtime.evaluate",
            self.attach(target),
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )["result"].get("value")

    def said(self, target: dict[str, Any]) -> list[str]:
        """Return what a target's console has said so far, policy errors included."""
        session = self.attach(target)
        self.events.clear()
        for domain in ("Log.enable", "Runtime.enable"):
            self.call(domain, session)
        self.call("Runtime.evaluate", session, expression="0")
        logged = [
            event["params"]["entry"]["text"] for event in self.events if event["method"] == "Log.entryAdded"
        ]
        called = [
            event["params"]["args"] for event in self.events if event["method"] == "Runtime.consoleAPICalled"
        ]
        return logged + [
            " ".join(str(part.get("value", part.get("description"))) for part in parts) for parts in called
        ]
