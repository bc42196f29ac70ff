"""A browser of WebKitGTK that keeps what it is given, as a program of its own: `webkit_window.py FOLDER [FLAGS]`.

WebKitGTK's MiniBrowser forgets everything at its end when it is driven by WebDriver; nothing else hinders a WebKit with
a folder. Standard library only: the system's C libraries are called by their names.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_char_p, c_int, c_void_p
from typing import Any

LIBRARIES = [ctypes.CDLL(name) for name in ("libwebkit2gtk-4.1.so.0", "libgtk-3.so.0", "libgobject-2.0.so.0")]

kept: list[Any] = []
"""Python's side of what C calls: it must live as long as the program."""


def c(name: str, *arguments: Any) -> Any:
    """Call the C function `name`; text goes as UTF-8, numbers as `int`, what comes back is a pointer."""
    function = next(getattr(library, name) for library in LIBRARIES if hasattr(library, name))
    function.restype = c_void_p
    return function(*[_argument(one) for one in arguments])


def _argument(one: Any) -> Any:
    if isinstance(one, bool):
        return c_int(one)
    if isinstance(one, str):
        return c_char_p(one.encode())
    return c_void_p(one) if isinstance(one, int) or one is None else one


def on(source: int, signal: str, call: Callable[..., Any], arguments: int = 1, result: Any = None) -> None:
    """Call `call` with the first `arguments` of a GObject's signal."""
    closure = CFUNCTYPE(result, *[c_void_p] * arguments)(call)
    kept.append(closure)
    c("g_signal_connect_data", source, signal, closure, None, None, 0)


def show(view: int) -> int:
    """Put a page into a window of its own."""
    window = c("gtk_window_new", 0)
    c("gtk_window_set_default_size", window, 1100, 900)
    c("gtk_container_add", window, view)
    c("gtk_widget_show_all", window)
    on(view, "close", lambda _: c("gtk_widget_destroy", window) and None)
    on(view, "create", lambda parent, _: opened_by(parent), 2, c_void_p)
    return view


def opened_by(parent: int) -> int:
    """Return the page for a popup that a page opens."""
    return show(c("webkit_web_view_new_with_related_view", parent))


def main(folder: str, flags: list[str]) -> None:
    """Be a browser that keeps its data in `folder`, until the driver says that it is over."""
    c("g_set_prgname", "MiniBrowser")
    c("gtk_init", None, None)
    places = ("base-data-directory", f"{folder}/data", "base-cache-directory", f"{folder}/cache")
    data = c("webkit_website_data_manager_new", *places, None)
    about = c("webkit_application_info_new")
    c("webkit_application_info_set_name", about, "MiniBrowser")  # what the driver asks for
    parts = ("major", "minor", "micro")
    c("webkit_application_info_set_version", about, *[c(f"webkit_get_{part}_version") or 0 for part in parts])
    context = c("webkit_web_context_new_with_website_data_manager", data)
    c("webkit_website_data_manager_set_itp_enabled", data, "--prevent-tracking" in flags)
    if "--refuse-storage" in flags:
        c("webkit_cookie_manager_set_accept_policy", c("webkit_web_context_get_cookie_manager", context), 1)
    settings = c("webkit_settings_new")
    c("webkit_settings_set_enable_write_console_messages_to_stdout", settings, True)
    c(
        "webkit_settings_set_javascript_can_open_windows_automatically",
        settings,
        "--block-popups" not in flags,
    )

    def new_view(_: int) -> int:
        view = c(
            "g_object_new",
            c("webkit_web_view_get_type"),
            *("web-context", context, "settings", settings, "is-controlled-by-automation", True),
            None,
        )
        return show(view)

    def started(_: int, session: int) -> None:
        c("webkit_automation_session_set_application_info", session, about)
        on(session, "create-web-view", new_view, 1, c_void_p)
        on(session, "will-close", lambda _: c("gtk_main_quit") and None)

    c("webkit_web_context_set_automation_allowed", context, True)
    on(context, "automation-started", started, 2)
    c("gtk_main")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
