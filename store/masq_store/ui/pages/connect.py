"""The popup's question: may this app keep its data here?"""

from contextlib import suppress

from masq_store.ui.html import views
from masq_store.ui.pages.visit import Act, Visit


class Connect(Visit):
    """The page of one app's request for access."""

    def page(self) -> views.Page:
        """Return the question."""
        assert self.shell.request is not None
        return views.connect(
            self.shell.request,
            self.current,
            self.shell.moment,
            bool(self.shell.overview["sync"]["relay"]["url"]),
        )

    def acts(self) -> dict[str, Act]:
        """Return the two answers."""
        return {"allow": lambda _: self._answer(True), "deny": lambda _: self._answer(False)}

    async def shown(self) -> None:
        """Answer at once where the app was allowed before: unlocking was all that was needed."""
        request = self.shell.request
        moment = self.shell.moment
        waits = not moment.busy and not moment.problem and not self.shell.final
        if request and request["registered"] and waits:
            await self._answer(True)

    async def _answer(self, allowed: bool) -> None:
        shell, request = self.shell, self.shell.request
        if not request:
            return
        first = allowed and not shell.overview["apps"]
        work = shell.link.call("answer", self.place.nonce, allowed, request["origin"])
        done, met = await shell.act("allow" if allowed else "deny", work)
        if not done:
            return
        shell.waiting = ""
        if met is False:  # it stays open: a window that closes says that all is well
            return shell.end(views.behind(request["name"]))
        if met is None:
            return shell.end(views.damaged(request["name"]))
        shell.end(views.answered(request["name"], allowed))
        # A popup that waits for another answer would not close; the settings ask, too.
        if first and not shell.overview["persistent"] and not shell.screen.persist_asks:
            with suppress(Exception):  # the answer has been given, whatever the browser says to this
                await shell.keep_for_good()  # from now on there is something to lose
        if shell.done:
            result = shell.done(allowed)
            if result is not None and hasattr(result, "__await__"):
                await result
