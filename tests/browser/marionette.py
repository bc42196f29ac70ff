"""Selenium's commands, spoken to Firefox over Marionette: what a geckodriver would do, which not every system has.

Mozilla's own client, marionette_driver, is not used: it brings a dozen packages, and imports telnetlib, which Python
3.13 no longer has.
"""

from __future__ import annotations

import json
import socket
from typing import Any

from browser.waiting import PATIENCE_SECONDS
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.remote.command import Command

NAMES = {
    Command.NEW_SESSION: "NewSession",
    Command.QUIT: "DeleteSession",
    Command.NEW_WINDOW: "NewWindow",
    Command.CLOSE: "CloseWindow",
    Command.GET: "Navigate",
    Command.GO_BACK: "Back",
    Command.GO_FORWARD: "Forward",
    Command.REFRESH: "Refresh",
    Command.FIND_ELEMENT: "FindElement",
    Command.FIND_ELEMENTS: "FindElements",
    Command.FIND_CHILD_ELEMENT: "FindElement",
    Command.FIND_CHILD_ELEMENTS: "FindElements",
    Command.CLEAR_ELEMENT: "ElementClear",
    Command.CLICK_ELEMENT: "ElementClick",
    Command.SEND_KEYS_TO_ELEMENT: "ElementSendKeys",
    Command.GET_ELEMENT_TEXT: "GetElementText",
    Command.GET_ELEMENT_TAG_NAME: "GetElementTagName",
    Command.GET_ELEMENT_RECT: "GetElementRect",
    Command.GET_ELEMENT_ATTRIBUTE: "GetElementAttribute",
    Command.GET_ELEMENT_PROPERTY: "GetElementProperty",
    Command.GET_ELEMENT_VALUE_OF_CSS_PROPERTY: "GetElementCSSValue",
    Command.IS_ELEMENT_SELECTED: "IsElementSelected",
    Command.IS_ELEMENT_ENABLED: "IsElementEnabled",
    Command.GET_CURRENT_URL: "GetCurrentURL",
    Command.GET_TITLE: "GetTitle",
    Command.GET_PAGE_SOURCE: "GetPageSource",
    Command.W3C_GET_CURRENT_WINDOW_HANDLE: "GetWindowHandle",
    Command.W3C_GET_WINDOW_HANDLES: "GetWindowHandles",
    Command.W3C_GET_ACTIVE_ELEMENT: "GetActiveElement",
    Command.SWITCH_TO_WINDOW: "SwitchToWindow",
    Command.SWITCH_TO_FRAME: "SwitchToFrame",
    Command.SWITCH_TO_PARENT_FRAME: "SwitchToParentFrame",
    Command.SET_WINDOW_RECT: "SetWindowRect",
    Command.SET_TIMEOUTS: "SetTimeouts",
    Command.W3C_EXECUTE_SCRIPT: "ExecuteScript",
    Command.W3C_EXECUTE_SCRIPT_ASYNC: "ExecuteAsyncScript",
    Command.W3C_ACTIONS: "PerformActions",
    Command.W3C_CLEAR_ACTIONS: "ReleaseActions",
    Command.SCREENSHOT: "TakeScreenshot",
    Command.ELEMENT_SCREENSHOT: "TakeScreenshot",
    Command.W3C_ACCEPT_ALERT: "AcceptAlert",
    Command.W3C_DISMISS_ALERT: "DismissAlert",
    Command.W3C_GET_ALERT_TEXT: "GetAlertText",
}
"""What Marionette calls Selenium's commands."""

ANSWER_SECONDS = PATIENCE_SECONDS * 1.1
"""How long an answer may take: longer than a script or a page may."""


class Marionette:
    """The connection to one Firefox, in the place of Selenium's own to a driver."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS)
        self._incoming = self._socket.makefile("rb")
        self._number = 0
        self._receive()  # its greeting

    def execute(self, command: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a command of Selenium's, in the form in which a driver gives it."""
        try:
            error, value = self._ask(f"WebDriver:{NAMES[command]}", _content(command, parameters))
        except (OSError, ValueError) as failed:
            error = {"error": "invalid session id", "message": f"Firefox does not answer: {failed!r}"}
        if error is not None:
            return {"status": 500, "value": json.dumps({"value": error})}
        return {"value": value["value"] if isinstance(value, dict) and set(value) == {"value"} else value}

    def in_the_browser(self, script: str) -> Any:
        """Run the body of a function with the browser's own rights, and return its result."""
        self._ask("Marionette:SetContext", {"value": "chrome"})
        try:
            error, answer = self._ask("WebDriver:ExecuteScript", {"script": script, "args": []})
        finally:
            self._ask("Marionette:SetContext", {"value": "content"})
        if error is None:
            return answer["value"]
        if error["error"] != "no such window":
            raise WebDriverException(error["message"])
        # The window that we were in has closed. Any other will do.
        self._ask("WebDriver:SwitchToWindow", {"handle": self._ask("WebDriver:GetWindowHandles", {})[1][0]})
        return self.in_the_browser(script)

    def leave(self) -> None:
        """Have Firefox end, in order."""
        self._ask("Marionette:Quit", {"flags": ["eForceQuit"]})
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._incoming.close()
        self._socket.close()

    def _ask(self, name: str, content: dict[str, Any]) -> tuple[dict[str, str] | None, Any]:
        """Return what went wrong, or None, and the answer. A message is `length:[type, number, name, content]`."""
        self._number += 1
        message = json.dumps([0, self._number, name, content]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        while True:
            _type, number, error, answer = self._receive()
            if number == self._number:  # else: to something that we had given up
                return error, answer

    def _receive(self) -> Any:
        length = b""
        while (byte := self._incoming.read(1)) != b":":
            if not byte:
                raise ConnectionError("it is gone")
            length += byte
        return json.loads(self._incoming.read(int(length)))


def _content(command: str, parameters: dict[str, Any]) -> dict[str, Any]:
    content = {key: value for key, value in parameters.items() if key != "sessionId"}
    if command in (Command.FIND_CHILD_ELEMENT, Command.FIND_CHILD_ELEMENTS):
        content["element"] = content.pop("id")
    if command == Command.SCREENSHOT:
        content["full"] = False
    return content
