"""WebKitGTK for tests, on a screen that nobody sees, driven by its WebKitWebDriver."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from browser import processes, webkit_window
from browser.waiting import PATIENCE_SECONDS
from browser.words import Words
from selenium import webdriver
from selenium.webdriver.webkitgtk.service import Service

SAID = re.compile(r"^(?:(\S+:\d+:\d+): )?CONSOLE (?:(\w+) )?(LOG|INFO|DEBUG|WARN|ERROR) (.*)$", re.MULTILINE)
"""A line of the console in the browser's output: where, who says it, how grave it is, what."""

LEVELS = {"ERROR": "SEVERE", "WARN": "WARNING"}


class Screen:
    """An X server without a screen, for one browser."""

    def __init__(self) -> None:
        read, write = os.pipe()
        command = [shutil.which("Xvfb") or "Xvfb", "-displayfd", str(write), "-nolisten", "tcp"]
        command += ["-screen", "0", "1280x1024x24"]
        quiet: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        self._program = subprocess.Popen(command, pass_fds=[write], **quiet)
        os.close(write)
        with os.fdopen(read) as number:
            self.name = f":{number.readline().strip()}"

    def close(self) -> None:
        """End it."""
        self._program.terminate()
        self._program.wait()


class WebKit(Words, webdriver.WebKitGTK):
    """A WebKitGTK with a folder of its own for what it keeps.

    Args:
        third_party_cookies: False: with tracking prevention, as Safari and GNOME Web have it.
        profile: folder to keep the browser's data in, for restarts; a fresh one, dropped in the end, where None.
        refuse_storage: refuse every page every cookie.
        popup_blocker: only a click opens a popup, as people have it.
        dark: ask pages for their dark look.
        optimizing: let it optimize WebAssembly, as people's does; see NO_OPTIMIZING in browser/harness.py.
    """

    engine = "webkit"

    def __init__(
        self,
        *,
        third_party_cookies: bool,
        profile: Path | None = None,
        refuse_storage: bool = False,
        popup_blocker: bool = False,
        dark: bool = False,
        optimizing: bool = True,
    ) -> None:
        self.place(profile)
        self._screen = Screen()
        self._output = self.profile / "webkit.log"
        self._output.unlink(missing_ok=True)
        self._forgotten = 0  # bytes of it
        options = webdriver.WebKitGTKOptions()
        options.binary_location = sys.executable
        arguments = [webkit_window.__file__, str(self.profile), "--automation"]
        arguments += [] if third_party_cookies else ["--prevent-tracking"]
        arguments += ["--refuse-storage"] if refuse_storage else []
        arguments += ["--block-popups"] if popup_blocker else []
        for argument in arguments:
            options.add_argument(argument)
        environment = dict(
            os.environ,
            DISPLAY=self._screen.name,
            GSETTINGS_BACKEND="memory",
            GTK_THEME="Adwaita:dark" if dark else "Adwaita",
            LANGUAGE="en",
            JSC_useOMGJIT=str(optimizing).lower(),
            WEBKIT_SKIA_ENABLE_CPU_RENDERING="1",  # drawing by a graphics card that is none took a tenth of the time
            XDG_CACHE_HOME=str(self.profile / "cache"),
            XDG_CONFIG_HOME=str(self.profile / "config"),
            XDG_DATA_HOME=str(self.profile / "data"),
        )
        driver = shutil.which("WebKitWebDriver") or "WebKitWebDriver"
        try:
            super().__init__(
                options=options,
                service=Service(driver, env=environment, log_output=str(self._output)),
            )
        except BaseException:
            self._screen.close()
            self.drop_place()
            raise
        self.set_script_timeout(PATIENCE_SECONDS)
        self.set_page_load_timeout(PATIENCE_SECONDS)

    @property
    def pid(self) -> int:
        """The browser's process id."""
        return processes.find(webkit_window.__file__, str(self.profile))

    def kill(self) -> None:
        """End the browser as a power cut would: SIGKILL, nothing is written any more. Then the driver goes too."""
        self.end_now()
        self.service.stop()
        self._screen.close()

    def quit(self) -> None:
        """End the browser in order, and drop its profile folder if it was made here."""
        try:
            super().quit()
        finally:
            self._screen.close()
            self.drop_place()

    def console(self) -> list[dict[str, Any]]:
        """Return everything the console has said so far: dicts with `level`, `message`, `source`."""
        return [
            {
                "level": LEVELS.get(level, "INFO"),
                "message": f"{where} {message}".strip(),
                "source": source or "page",
            }
            for where, source, level, message in SAID.findall(
                self._printed()[self._forgotten :].decode(errors="replace")
            )
        ]

    def forget_console(self) -> None:
        """Have `console` begin anew."""
        self._forgotten = len(self._printed())

    def _printed(self) -> bytes:
        return self._output.read_bytes()
