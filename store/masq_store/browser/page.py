"""Entry of the store's own pages: connects the pages (`masq_store.ui`) to the engine in the worker."""

from __future__ import annotations

import json
from typing import Any

from masq.channel import Channel
from masq.errors import MasqError, from_wire
from masq_store.browser import knock, service_worker
from masq_store.browser.client_messages import ToClient
from masq_store.browser.ports.message_port import BrowserPort
from masq_store.core.profile.claims import nonce_in
from masq_store.engine.tasks import Tasks
from masq_store.ui import app
from masq_store.ui.window import update_bar

BESIDE = tuple(f'{{"masq":1,"{name}"' for name in ("worker", "tell", "moved", "ticket", "closes"))
"""How the worker's messages begin that are for the window rather than for its pages."""


async def main(js_port: Any, early: Any) -> None:
    """Show the page that the address asks for. `early`: what the worker has said on the port so far."""
    import js
    from pyodide.ffi import create_once_callable, create_proxy

    js.document.documentElement.setAttribute("data-boot", js.masqBoot.how)
    nonce = nonce_in(str(js.location.hash))
    port = BrowserPort(js_port)

    def later(flush: Any) -> None:
        js.queueMicrotask(create_once_callable(flush))

    channel = Channel(port.post, later)
    window = WorkerNotices(port, channel)

    def receive(text: str) -> None:
        if text.startswith(BESIDE):
            window.receive(json.loads(text))
        else:
            channel.receive(text)

    def done(allowed: bool) -> None:
        js.window.close()

    def shown(event: Any) -> None:
        if event.persisted:  # brought back by the browser, and not each brings its port back
            js.location.reload()

    js.window.addEventListener("pageshow", create_proxy(shown))
    port.listen(receive)
    for text in early:
        receive(text)
    if nonce:
        window.tasks.start(knock.at_opener(js_port, nonce))
    await app.start(Link(channel), nonce or None, done)
    # A popup is closed soon, and the page behind it may be all that its person ever opens.
    window.tasks.start(service_worker.keep((lambda: None) if nonce else update_bar.offer))


class WorkerNotices:
    """The receiver of the worker's messages for the window itself: go on elsewhere, keep a ticket, close."""

    def __init__(self, port: BrowserPort, channel: Channel) -> None:
        self._port = port
        self._channel = channel
        self.tasks = Tasks("the store's page", _tell_console)

    def receive(self, message: ToClient) -> None:
        """Take a message of the worker's."""
        import js

        if "moved" in message:
            # A newer store has taken over: its page comes with it, or an older one goes straight to its worker.
            js.sessionStorage.setItem("masqWorker", message["moved"])
            self._port.post('{"masq":1,"left":1}')
            js.location.reload()
        elif "ticket" in message:
            # It opens the profile again for the worker after this one: a reload may be the end of this one.
            if message["ticket"] is None:
                js.sessionStorage.removeItem("masqTicket")
            else:
                js.sessionStorage.setItem("masqTicket", message["ticket"])
        elif "closes" in message:
            js.window.close()  # a newer one is open about the same request
        elif message.get("tell", {}).get("frame") == "unavailable":
            # The pages show it in the answer's place.
            told = message["tell"]
            self._channel.fail(from_wire(told["error"]) if "error" in told else MasqError(told["reason"]))


class Link:
    """The engine as the pages reach it."""

    def __init__(self, channel: Channel) -> None:
        self.call = channel.call
        self.on_event: Any = None
        channel.on_event = lambda event: self.on_event and self.on_event(event)


def _tell_console(error: MasqError) -> None:
    import js

    js.console.error(str(error))
