"""The strip that the store's frame shows in an app's page, where that page and the store's window cannot speak."""

from __future__ import annotations

from masq.errors import from_wire
from masq_store.browser.client_messages import ToClient
from masq_store.engine.sessions.status import Strip
from masq_store.ui.html import paste_strip


def message(state: Strip | None) -> ToClient:
    """Return what the frame is told; `state`: as `engine.partition.pasted_links` has it."""
    import js

    shown = {"frame": "strip", "shown": state is not None}
    if state is None:
        return {"strip": "", "tell": shown}
    error = from_wire(state["error"]) if "error" in state else None
    look = str(js.URL.new("style.css", js.self.location.href).href)
    return {
        "strip": paste_strip.draw(state["state"], error, look, list(js.navigator.languages)),
        "tell": shown,
    }
