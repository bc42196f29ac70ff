"""Joining a store: `connect` and `register`, and what keeps a session alive afterwards."""

import asyncio

from masq.channel import Channel, Reply
from masq.errors import (
    AccessDenied,
    ConnectionTimeout,
    Disconnected,
    InvalidValue,
    Locked,
    MasqError,
    NotRegistered,
    PopupBlocked,
    ProtocolError,
    StorageUnavailable,
)
from masq.messages import PROTOCOL
from masq.status import Status
from masq.store import Store

TYPE_CHECKING = False  # mypy takes this name as true; typing does not exist in MicroPython
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

WINDOW_SECONDS = 0.5  # between two polls of whether the store's window can be reached
LOOKS = 4  # polls in one time-out: a machine that slept has missed but one
_pending: list[str] = []  # addresses of stores that this page is connecting to


async def connect(
    url: str,
    *,
    name: str,
    description: str = "",
    icon: "str | None" = None,
    button: "Any" = None,
    timeout: float = 30,
) -> Store:
    """Connect to the user's store, and return it once the app may work.

    `url`: the store's address. `name`, `description`, `icon` (a `data:` image of at most 32 KiB): how the app
    presents itself to the user. `button`: a CSS selector or an element; the state is drawn in it, and a click
    opens the store's window. `timeout`: seconds without progress; waiting for the person does not count.

    Where the browser keeps this data apart from the store (`status.access` is "partitioned") and no relay is at
    hand, the button stays in use: "Sync now", with how many changes are nowhere else. The window that a click
    opens brings both in step, and closes.

    Without a button it raises NotRegistered or Locked where the user would have to act. It raises AccessDenied
    or PopupBlocked after a click, ConnectionTimeout, StorageUnavailable where the browser keeps nothing, and
    ProtocolError where the address is not a store's. Cancelling it removes everything it made.
    """
    joining = _Joining(url, name, description, icon, timeout, button)
    try:
        await joining.first_status()
        joining.watch_window()
        while joining.state != "ready":
            if joining.button is None:
                raise joining.refusal()
            joining.draw_invitation()
            await joining.news()
        return joining.finish("connected")
    except BaseException as error:
        joining.give_up(error)
        raise


def register(
    url: str,
    *,
    name: str,
    description: str = "",
    icon: "str | None" = None,
    timeout: float = 30,
) -> "Coroutine[Any, Any, Store]":
    """Ask the user for access to their store. Call it from a click; the window opens before it returns.

    The parameters are those of `connect`. Awaiting it gives the Store, or raises AccessDenied, PopupBlocked
    or what `connect` raises.
    """
    joining = _Joining(url, name, description, icon, timeout)
    joining.click()
    return _registered(joining)


async def _registered(joining: "_Joining") -> Store:
    try:
        await joining.first_status()
        joining.watch_window()
        while joining.state != "ready":
            await joining.news()
        return joining.finish("connected")
    except BaseException as error:
        joining.give_up(error)
        raise


class _Joining:
    """One attempt to join a store; then the session's keeper, which reconnects it when its worker is lost."""

    def __init__(
        self,
        url: str,
        name: str,
        description: str,
        icon: "str | None",
        timeout: float,
        button: "Any" = None,
    ) -> None:
        from masq import ffi, frame

        _check(name, description, icon, timeout)
        self.details = {"name": name, "description": description, "icon": icon}
        self.timeout = timeout
        self.origin = ""
        self.button: Any = None
        self.channel: Channel | None = None
        self.status: dict[str, Any] | None = None
        self.asked = False  # the store's window was opened, and not answered yet
        self._severed = False  # the store has been told that this page cannot reach its window
        self._watcher: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._news = Reply()  # not an Event: at MicroPython's top level only one may be waited for
        self._heard = 0  # signs of life so far
        self._waiting_for = "the store's frame"
        self._store: Store | None = None
        self._stays = False  # the button stays in use once there is a Store
        self._silent = False  # the store was lost, and not heard of since
        self._keeper: asyncio.Task[None] | None = None
        address = url.rstrip("/") if isinstance(url, str) else url
        if address in _pending:
            raise ProtocolError("this page is already connecting to " + address + "; wait for that first")
        if ffi.in_worker():
            from masq.worker_frame import FarFrame

            self.frame: frame.Frame = FarFrame(address, self._take_frame, self._fault)
        else:
            self.frame = frame.Frame(address, self._take_frame, self._fault)
        self.frame.on_reload = self._hold
        self.address = address
        _pending.append(address)
        try:
            self.origin = frame.page_origin()
            if button is not None:
                self._take_button(button)
        except BaseException as error:
            self.give_up(error)
            raise

    def _take_button(self, button: "Any") -> None:
        """Draw the state in the app's button from now on."""
        from masq.button import Button

        self.button = Button(button, self.click)
        self.button.draw("connecting")

    @property
    def state(self) -> str:
        """The session's state by the store's last status: "ready", "locked" or "unregistered"."""
        return str(self.status.get("state")) if self.status else ""

    def click(self) -> None:
        """Open the store's window, in the click itself: browsers allow it nowhere else."""
        if self._store is not None:
            if self.frame.popup() and self._stays:  # where the browser refuses it the button stays as it is
                self.asked = True
                self._severed = False
                self.watch_window()
            return
        if self.state == "ready":
            return
        if self.frame.popup():
            self.asked = True
            self._severed = False
        else:
            self._error = PopupBlocked()
        self._news.succeed(None)

    async def first_status(self) -> None:
        """Wait for the store's first word, at most `timeout` seconds after the last sign of progress."""
        clock = asyncio.create_task(self._watch_progress())  # MicroPython's wait_for fails at the top level
        try:
            while self.status is None:
                await self.news()
        finally:
            clock.cancel()

    async def _watch_progress(self) -> None:
        silent = 0
        while silent < LOOKS:
            heard = self._heard
            await asyncio.sleep(self.timeout / LOOKS)
            silent = silent + 1 if heard == self._heard else 0
        self._fault(ConnectionTimeout(self.timeout, self._waiting_for))

    def watch_window(self) -> None:
        """Poll the store's window, and have the frame ask for its link where this page has cut it off.

        While the person is waited for, also hear of it where the page takes the frame out.
        """
        self._stop_watching()
        self._watcher = asyncio.create_task(self._watch_window())

    async def _watch_window(self) -> None:
        # Once there is a Store, each click begins a watch of its own, which ends when the store has been told.
        while self.state != "ready" if self._store is None else not self._severed:
            if self._store is None and self.frame.removed:  # later it is `_keep` that looks
                self._fault(Disconnected("the page has removed the store's frame"))
                return
            seen = self.frame.look() if self.asked and not self._severed else ""
            if seen and self.channel is not None:
                self._severed = True
                try:
                    await self.channel.call("severed", *([True] if seen == "closed" else []))
                except MasqError:
                    pass  # an older store; or the session ends, and hears of that itself
            await asyncio.sleep(WINDOW_SECONDS)

    async def news(self) -> None:
        """Wait until something happened, or raise what went wrong."""
        if self._error is None:
            await self._news
            self._news = Reply()
        if self._error is not None:
            raise self._error

    def refusal(self) -> MasqError:
        """Return why the app may not work yet."""
        return Locked() if self.state == "locked" else NotRegistered(self.origin)

    def draw_invitation(self) -> None:
        """Show what the user can do."""
        self.button.draw("waiting" if self.asked else "locked" if self.state == "locked" else "connect")

    def finish(self, state: str) -> Store:
        """Hand the session over to a Store."""
        assert self.channel is not None and self.status is not None
        self._stays = self.button is not None and self.status.get("access") == "partitioned"
        self._store = Store(self.channel, self.status, self._closed, self._draw if self._stays else None)
        if self._stays:
            self._stop_watching()
            _pending.remove(self.address)
            self._draw(self._store.status)
        else:
            self._release(state)
        self._keeper = asyncio.create_task(self._keep(self._store))
        return self._store

    def _draw(self, status: Status) -> None:
        """Show how a copy stands that the browser keeps apart: a click of the button brings it in touch."""
        if status.state != "ready":
            self.button.draw("locked" if status.state == "locked" else "connect")
        elif status.sync == "off" or (status.sync == "offline" and status.waiting):
            self.button.draw("apart", " (" + str(status.waiting) + ")" if status.waiting else "")
        else:
            self.button.draw("connected")

    def give_up(self, error: BaseException) -> None:
        """Remove everything that this attempt made."""
        state = "failed"
        if isinstance(error, AccessDenied):
            state = "denied"
        elif isinstance(error, PopupBlocked):
            state = "blocked"
        elif isinstance(error, asyncio.CancelledError):
            state = "closed"
        self._release(state)
        if self.channel is not None:
            self.channel.fail(Disconnected("connecting was given up"))
        self.frame.close()

    def _release(self, state: str) -> None:
        self._stop_watching()
        if self.address in _pending:
            _pending.remove(self.address)
        if self.button is not None:
            self.button.draw(state)
            self.button.release()

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    def _closed(self, _store: Store) -> None:
        """The Store was closed: nothing of it stays in the page."""
        self._stop_watching()
        if self._keeper is not None:
            self._keeper.cancel()
        if self.button is not None:
            self.button.draw("closed")
            self.button.release()
        self.frame.close()

    def _fault(self, error: BaseException) -> None:
        if self._store is not None and isinstance(error, MasqError):
            self._store.end(error)
        self._error = self._error or error
        self._news.succeed(None)

    # What the frame says

    def _take_frame(self, message: "dict[str, Any]") -> None:
        self._heard += 1
        what = message["frame"]
        if message.get("masq") != PROTOCOL:
            self._fault(
                ProtocolError(
                    "the store speaks version " + str(message.get("masq")) + " of the protocol, this app "
                    "version " + str(PROTOCOL)
                )
            )
        elif what == "ready":
            if self.channel is None:
                self._attach()
            else:  # the page has moved the iframe, or the browser has brought the page back
                self._attach_again(self.channel)
        elif what == "progress":
            if self.button is not None and self.status is None:
                self.button.draw("connecting", _percent(message.get("loaded"), message.get("total")))
        elif what == "unavailable":
            self._fault(StorageUnavailable(str(message.get("reason")), str(message.get("setting") or "")))
        elif what == "strip":
            self.frame.show(message.get("shown") is True)
        elif what == "lost" and self.channel is not None:
            self._attach_again(self.channel)
        self._news.succeed(None)

    def _attach(self) -> None:
        self._waiting_for = "the store itself, whose frame has answered,"
        post = self.frame.attach(self.details, self._take_text)
        self.channel = Channel(post, self.frame.later, self.timeout)
        self.channel.on_status = self._take_status
        self.channel.on_fault = self._fault
        self.channel.on_refusal = self._refused

    def _hold(self) -> None:
        """Hold back calls that are not sent yet, until the session is reconnected."""
        if self.channel is not None:
            self._silent = True
            self.channel.held = True

    def _attach_again(self, channel: Channel) -> None:
        self._silent = True
        self._severed = False  # what was told there is forgotten
        post = self.frame.attach(self.details, self._take_text)
        if self._store is None:
            channel.lost(post)
        else:
            self._store.reopen(post)

    def _take_text(self, text: "str | None") -> None:
        self._silent = False
        if self.channel is None:
            return
        if text is None:
            self.channel.overwhelmed()
        else:
            self.channel.receive(text)

    def _refused(self, error: MasqError) -> None:
        """The store cannot use what was sent. While we join that can only be how the app describes itself."""
        if isinstance(error, Disconnected):  # our frame has gone; its end may come to nothing, see `_keep`
            self._silent = True
        elif self._store is None:
            self._fault(error)

    def _take_status(self, status: "dict[str, Any]") -> None:
        self.status = status
        denied = status.get("denied")
        if denied in ("refused", "closed") and status.get("state") != "ready":
            self._error = self._error or AccessDenied(str(denied))
        self._news.succeed(None)

    async def _keep(self, store: Store) -> None:
        """End the session where the frame has gone, or the store is lost and not heard of for `timeout` seconds."""
        silent = 0
        while silent < LOOKS and not self.frame.removed:
            await asyncio.sleep(self.timeout / LOOKS)
            silent = silent + 1 if self._silent or self.frame.strange else 0
        self._keeper = None
        if self.frame.removed:
            store.end(Disconnected("the page has removed the store's frame"))
        else:
            store.end(
                Disconnected("the store was lost and did not come back within " + str(self.timeout) + " s")
            )


def _check(name: "Any", description: "Any", icon: "Any", timeout: "Any") -> None:
    """Raise InvalidValue for what cannot be said to a store, or waited."""
    for what, given in (("name", name), ("description", description), ("icon", icon or "")):
        if not isinstance(given, str):
            raise InvalidValue("it must be a str, not a value of type " + type(given).__name__, what)
    if not name.strip():
        raise InvalidValue("the app needs a name, which its person will read", "name")
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool) or not timeout > 0:
        raise InvalidValue("it must be a number of seconds above 0", "timeout")


def _percent(loaded: "Any", total: "Any") -> str:
    if isinstance(loaded, (int, float)) and isinstance(total, (int, float)) and total > 0:
        return " " + str(min(100, int(100 * loaded / total))) + " %"
    return ""
