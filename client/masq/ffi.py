"""The browser as both interpreters see it: `js` is the same module in Pyodide and MicroPython, proxies are not.

Whoever makes a listener here owns it, and calls `remove()`: that destroys its proxy.
"""

import sys

TYPE_CHECKING = False  # mypy takes this name as true; typing does not exist in MicroPython
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MICROPYTHON = sys.implementation.name == "micropython"


def proxy(function: "Callable[..., object]") -> "Any":
    """Return a JavaScript function that calls `function` until `release`."""
    if MICROPYTHON:
        return __import__("jsffi").create_proxy(function)  # a name that type checkers do not know
    from pyodide.ffi import create_proxy

    return create_proxy(function)


def release(made: "Any") -> None:
    """Destroy what `proxy` made. MicroPython collects it by itself."""
    if MICROPYTHON:
        return
    if in_worker():
        from pyodide.ffi import create_once_callable

        # The page may have called it already. Such calls come one after the other, and this one comes last.
        page().queueMicrotask(create_once_callable(made.destroy))
    else:
        made.destroy()


def missing(found: "Any") -> bool:
    """Whether JavaScript gave null. `not found` will not do: Pyodide takes a window of another origin as false."""
    if found is None or MICROPYTHON:
        return found is None
    from pyodide.ffi import jsnull

    return found is jsnull


def element(selector: str) -> "Any":
    """Return the page's first element that matches a CSS selector; see `missing` for none."""
    return page().document.querySelector(selector)


class Listener:
    """One event listener, from now until `remove()`. `passive` options are not needed here."""

    def __init__(self, target: "Any", event: str, function: "Callable[[Any], object]") -> None:
        self._target = target
        self._event = event
        self._proxy = proxy(function)
        target.addEventListener(event, self._proxy)

    def remove(self) -> None:
        """Stop listening. More than once does no harm."""
        if self._target is not None:
            self._target.removeEventListener(self._event, self._proxy)
            release(self._proxy)
            self._target = None


class Later:
    """Runs functions at the end of the current synchronous run: one microtask for all of them."""

    def __init__(self) -> None:
        import js

        self._functions: list[Callable[[], None]] = []
        self._proxy = proxy(self._run)
        self._queue = js.queueMicrotask
        self._pending = False
        self._closed = False

    def __call__(self, function: "Callable[[], None]") -> None:
        """Run `function` before the browser does anything else."""
        self._functions.append(function)
        if not self._pending:
            self._pending = True
            self._queue(self._proxy)

    def _run(self) -> None:
        self._pending = False
        functions, self._functions = self._functions, []
        for function in functions:
            function()
        if self._closed and not self._pending:
            release(self._proxy)

    def close(self) -> None:
        """Destroy the proxy, once what is queued has run."""
        if not self._closed:
            self._closed = True
            if not self._pending:
                release(self._proxy)


def promise(begin: "Callable[[Any, Any], None]") -> "Any":
    """Return a new Promise; `begin(resolve, reject)` is called at once."""
    import js

    return js.Promise.new(begin)


def complain(text: str) -> None:
    """Write to the console, as an error."""
    import js

    js.console.error(text)


def message_channel() -> "tuple[Any, Any]":
    """Return the two ports of a new MessageChannel."""
    import js

    channel = js.MessageChannel.new()
    return channel.port1, channel.port2


def array(*items: "Any") -> "Any":
    """Return a JavaScript array of JavaScript objects."""
    import js

    return js.Array.of(*items)


def random_hex(size: int) -> str:
    """Return `size` random bytes from the browser, as hexadecimal text."""
    import js

    numbers = js.crypto.getRandomValues(js.Uint8Array.new(size))
    return "".join(["%02x" % int(numbers[at]) for at in range(size)])


def in_worker() -> bool:
    """Whether this is a worker, which has no page of its own."""
    try:
        import js
    except ImportError:  # not even a browser
        return False
    return hasattr(js, "WorkerGlobalScope")


def page() -> "Any":
    """Return the page's `window`: this one, or the one that PyScript lends to a worker."""
    if in_worker():
        return __import__("polyscript").xworker.window
    import js

    return js.window


def no_page() -> "tuple[str, str]":
    """Return why no page can be reached from here, and what would change that; two empty texts where one can."""
    try:
        import js
    except ImportError:
        return "this is not a browser", "open the app in a browser"
    if not in_worker():
        return ("", "") if hasattr(js, "document") else ("this is not a page", "")
    try:
        polyscript = __import__("polyscript")
    except ImportError:
        return (
            "this is a worker without PyScript, which has no page to put the store's frame in",
            "run the app in the page itself, or in a worker of PyScript",
        )
    if missing(polyscript.xworker.window):
        if js.crossOriginIsolated:
            return (
                "a worker of PyScript reaches its page by SharedArrayBuffer, which this browser lacks",
                "run the app in the page itself, without the attribute worker",
            )
        return (
            "this page is not cross-origin isolated, and only there does a worker of PyScript reach its page",
            "serve the page with the headers Cross-Origin-Opener-Policy: same-origin and "
            "Cross-Origin-Embedder-Policy: require-corp, or leave out the attribute worker",
        )
    if missing(polyscript.currentScript):
        return (
            "this worker was started by PyWorker, through which no port reaches the page",
            'start it by <script type="py" worker>, or by create_named_worker',
        )
    return "", ""
