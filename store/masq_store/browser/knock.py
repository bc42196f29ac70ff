"""The handshake of a store's window with the hidden frame of the app that opened it: the window knocks.

Where the browser keeps the frame apart, this is how its worker and the store's get to speak: the frame makes a channel,
and answers with one end of it. A frame that reaches the store itself does not answer. An app that has cut its windows
off has no opener.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

EVERY_SECONDS = 0.5
TRIES = 20
"""The frame may still be on its way: as long as a window waits for a request."""


async def at_opener(port: Any, nonce: str) -> None:
    """Knock until the frame under this nonce answers. `port`: this page's MessagePort to the store's worker."""
    import js
    from pyodide.ffi import JsException, create_proxy, to_js

    answered = asyncio.Event()
    knock = f'{{"masq":1,"knock":"{nonce}"}}'

    def hear(event: Any) -> None:
        # Each answer is passed on, and the last one counts: the frame goes by the last knock, too.
        if event.origin == js.location.origin and event.data == knock and event.ports.length == 1:
            port.postMessage('{"masq":1,"enrol":{}}', to_js([event.ports[0]]))
            answered.set()

    js.window.addEventListener("message", create_proxy(hear))  # for as long as the window lives
    for _ in range(TRIES):
        with suppress(JsException, AttributeError):  # no opener, or no such frame yet
            frame = getattr(js.window.opener.frames, f"masq-{nonce}")
            frame.postMessage(knock, js.location.origin)
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_SECONDS):
                await answered.wait()
        if answered.is_set():
            return
