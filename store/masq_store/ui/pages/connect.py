"""The popup's question: may this app keep its data here?"""

from contextlib import suppress

from masq_store.ui.html import views

from .visit import Act, Visit


class Connect(Visit):
    """One request of one app."""

    def page(self) -> views.Page:
        """Return the question."""
        assert self.app.request is not None
        return views.connect(
            self.app.request,
            self.app.overview["profile"],
            self.app.moment,
            bool(self.app.overview["sync"]["relay"]["url"]),
        )

    def acts(self) -> dict[str, Act]:
        """The two answers."""
        return {"allow": lambda _: self._answer(True), "deny": lambda _: self._answer(False)}

    async def shown(self) -> None:
        """Allowed before: unlocking was all that was needed."""
        request = self.app.request
        moment = self.app.moment
        waits = not moment.busy and not moment.problem and not self.app.final
        if request and request["registered"] and waits:
            await self._answer(True)

    async def _answer(self, allowed: bool) -> None:
        app, request = self.app, self.app.request
        if not request:
            return
        first = allowed and not app.overview["apps"]
        work = app.link.call("answer", self.place.nonce, allowed, request["origin"])
        done, met = await app.act("allow" if allowed else "deny", work)
        if not done:
            return
        app.waiting = ""
        if met is False:  # it stays open: a window that closes says that all is well
            return app.end(views.behind(request["name"]))
        if met is None:
            return app.end(views.damaged(request["name"]))
        app.end(views.answered(request["name"], allowed))
        # A popup that waits for another answer would not close; the settings ask, too.
        if first and not app.overview["persistent"] and not app.screen.persist_asks:
            with suppress(Exception):  # the answer has been given, whatever the browser says to this
                await app.keep_for_good()  # from now on there is something to lose
        if app.done:
            result = app.done(allowed)
            if result is not None and hasattr(result, "__await__"):
                await result
