"""Entry of the store's own pages: connects the pages (`masq_store.ui`) to the engine in the worker."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

from masq.rpc import Channel
from masq_store.browser import offline
from masq_store.browser.ports import BrowserPort
from masq_store.ui import app, newer


async def main(js_port: Any, nonce: str) -> None:
    """Show the page that the address asks for; `nonce` is the request that a popup was opened for, or ""."""
    import js
    from pyodide.ffi import create_once_callable

    js.document.documentElement.setAttribute("data-boot", js.masqBoot.how)
    random.seed(int.from_bytes(js.crypto.getRandomValues(js.Uint8Array.new(16)).to_bytes(), "big"))
    port = BrowserPort(js_port)

    def later(flush: Any) -> None:
        js.queueMicrotask(create_once_callable(flush))

    channel = Channel(port.post, later)

    def receive(text: str) -> None:
        if text.startswith('{"masq":1,"moved"'):
            # A newer store has taken over: its page comes with it, or an older one goes straight to its worker.
            js.sessionStorage.setItem("masqWorker", json.loads(text)["moved"])
            port.post('{"masq":1,"left":1}')
            js.location.reload()
        elif text.startswith('{"masq":1,"ticket"'):
            # It opens the profile again for the worker after this one: a reload may be the end of this one.
            ticket = json.loads(text)["ticket"]
            if ticket is None:
                js.sessionStorage.removeItem("masqTicket")
            else:
                js.sessionStorage.setItem("masqTicket", ticket)
        else:
            channel.receive(text)

    def done(allowed: bool) -> None:
        js.window.close()

    port.listen(receive)
    await app.start(Link(channel), nonce or None, done)
    # A popup is closed soon, and the page behind it may be all that its person ever opens.
    asyncio.ensure_future(offline.keep((lambda: None) if nonce else newer.offer))


class Link:
    """The engine as the pages reach it."""

    def __init__(self, channel: Channel) -> None:
        self.call = channel.call
        self.on_event: Any = None
        channel.on_event = lambda event: self.on_event and self.on_event(event)
