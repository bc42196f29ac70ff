"""Firefox for tests, without a window, driven over Marionette."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from browser.begun import begin
from browser.marionette import Marionette
from browser.waiting import PATIENCE_SECONDS
from browser.words import Words, wait_for
from selenium import webdriver

PREFERENCES: dict[str, Any] = {
    "marionette.port": 0,  # any that is free: it is written down in the profile
    "app.update.auto": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "browser.startup.homepage_override.mstone": "ignore",
    "devtools.console.stdout.content": True,
    "datareporting.policy.dataSubmissionEnabled": False,
    "intl.accept_languages": "en-US",
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",  # nothing is fetched from it
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}

REJECT_FOREIGN, REJECT, PARTITION_FOREIGN = 1, 2, 5
"""`network.cookie.cookieBehavior`: a frame of another site keeps nothing; no page does; the frame has a partition."""

ERRORS = """
  return Services.console.getMessageArray()
    .filter((one) => one instanceof Ci.nsIScriptError && /^(https?|blob):/.test(one.sourceName))
    .map((one) => ({ level: one.flags & Ci.nsIScriptError.warningFlag ? "WARNING" : "SEVERE",
      source: one.category, message: `${one.sourceName} ${one.lineNumber} ${one.errorMessage}` }));
"""
"""What the browser says of pages and workers: errors, broken policies. Not what it says of itself."""

SAID = re.compile(r"^console\.(\w+): (.*)$", re.MULTILINE)
"""What pages and workers say themselves, as it stands in the browser's output."""

LEVELS = {"error": "SEVERE", "warn": "WARNING"}


class Firefox(Words):
    """A Firefox with a profile folder of its own.

    Args:
        third_party_cookies: False: frames of other sites keep nothing; True, as people have it: in a partition.
        profile: folder to keep the browser's data in, for restarts; a fresh one, dropped in the end, where None.
        refuse_storage: refuse every page cookies and whatever else it might keep, as a person can.
        popup_blocker: leave the blocker on, as people have it; Marionette turns it off otherwise.
        dark: ask pages for their dark look.
        optimizing: as in the other engines; Firefox optimizes always, for here it saves nothing.
        flags: further command-line flags.
        preferences: further preferences of the profile.
    """

    engine = "firefox"

    def __init__(
        self,
        *,
        third_party_cookies: bool,
        profile: Path | None = None,
        refuse_storage: bool = False,
        popup_blocker: bool = False,
        dark: bool = False,
        optimizing: bool = True,
        flags: tuple[str, ...] = (),
        preferences: dict[str, Any] | None = None,
    ) -> None:
        self.place(profile)
        binary = shutil.which("firefox-esr") or shutil.which("firefox") or "firefox"
        if not any(self.profile.iterdir()):
            begin(
                self.profile, binary, lambda folder: Firefox(third_party_cookies=True, profile=folder).quit()
            )
        behaviour = PARTITION_FOREIGN if third_party_cookies else REJECT_FOREIGN
        own = {
            "network.cookie.cookieBehavior": REJECT if refuse_storage else behaviour,
            "dom.disable_open_during_load": popup_blocker,
            "ui.systemUsesDarkTheme": int(dark),
        }
        lines = [
            f"user_pref({json.dumps(name)}, {json.dumps(value)});"
            for name, value in {**PREFERENCES, **own, **(preferences or {})}.items()
        ]
        (self.profile / "user.js").write_text("\n".join(lines))
        port = self.profile / "MarionetteActivePort"
        port.unlink(missing_ok=True)
        command = [binary, "--headless", "--marionette", "--no-remote", "--remote-allow-system-access"]
        command += ["--profile", str(self.profile), *flags]
        environment = dict(os.environ, MOZ_HEADLESS_WIDTH="1100", MOZ_HEADLESS_HEIGHT="900")
        self._output = self.profile / "firefox.log"
        self._forgotten = 0  # bytes of it
        with self._output.open("wb") as log:
            self._program = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            wait_for(lambda: port.is_file() and port.read_text().strip(), what="Firefox to start")
            self._line = Marionette(int(port.read_text()))
            super().__init__(command_executor=self._line, options=webdriver.FirefoxOptions())  # type: ignore[arg-type]
        except BaseException:
            self._program.kill()
            self._program.wait()
            self.drop_place()
            raise
        self.set_script_timeout(PATIENCE_SECONDS)
        self.set_page_load_timeout(PATIENCE_SECONDS)

    @property
    def pid(self) -> int:
        """The browser's process id."""
        return self._program.pid

    def kill(self) -> None:
        """End the browser as a power cut would: SIGKILL, nothing is written any more."""
        self.end_now()
        self._program.wait()
        self._line.close()

    def quit(self) -> None:
        """End the browser in order, and drop its profile folder if it was made here."""
        try:
            if self._program.poll() is None:
                self._line.leave()
                self._program.wait(PATIENCE_SECONDS)
        finally:
            self._program.kill()
            self._program.wait()
            self._line.close()
            self.drop_place()

    def console(self) -> list[dict[str, Any]]:
        """Return everything the console has said so far: dicts with `level`, `message`, `source`."""
        said = SAID.findall(self._printed()[self._forgotten :].decode(errors="replace"))
        entries = [
            {"level": LEVELS.get(level, "INFO"), "message": message, "source": "console-api"}
            for level, message in said
        ]
        return entries + list(self._line.in_the_browser(ERRORS))

    def forget_console(self) -> None:
        """Have `console` begin anew."""
        self._line.in_the_browser("Services.console.reset();")
        self._forgotten = len(self._printed())

    def _printed(self) -> bytes:
        return self._output.read_bytes()
