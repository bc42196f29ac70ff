"""What `serve.py` does in its environment: build if stale, serve, start a relay, build again when a source changes."""

from __future__ import annotations

import argparse
import errno
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
import webbrowser

from build.certificate import BadCertificate
from build.inputs import build_inputs
from build.places import DIST, ROOT
from build.relay import LocalRelay, RelayFailed
from build.server import SiteServer
from build.terminal import make_steady

LOOK_EVERY_SECONDS = 1.0


class Freshness:
    """Builds `dist/` again when the sources have changed since they were last looked at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looked = 0.0
        self._built = ""
        self._sentence: str | None = None

    def check(self) -> str | None:
        """Build if something has changed. Returns a sentence for the page where that failed, else None."""
        with self._lock:
            if time.monotonic() - self._looked >= LOOK_EVERY_SECONDS:
                inputs = build_inputs()
                if inputs != self._built:
                    # Another Python, so that changes of the build itself count too.
                    done = subprocess.run(
                        [sys.executable, str(ROOT / "build.py")], cwd=ROOT, stdout=subprocess.DEVNULL
                    )
                    self._built = inputs
                    self._sentence = "The build failed; the terminal says why." if done.returncode else None
                self._looked = time.monotonic()
            return self._sentence

    def start(self) -> bool:
        """Build if stale, showing progress. Returns whether there is something to serve."""
        from build.places import BuildError
        from build.whole import make_dist

        self._built = build_inputs()
        try:
            make_dist()
        except BuildError as error:
            print(error, file=sys.stderr)
            return False
        self._looked = time.monotonic()
        return True


def serve(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM. Returns the exit status."""
    make_steady()
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell starts background jobs with SIGINT ignored
        signal.signal(number, _interrupt)
    freshness = Freshness()
    try:
        server = SiteServer(
            DIST,
            arguments.host,
            arguments.port,
            certfile=arguments.certfile,
            keyfile=arguments.keyfile,
            before_page=None if arguments.no_build else freshness.check,
        )
    except (OSError, OverflowError, BadCertificate) as error:
        print(_refusal(error, arguments), file=sys.stderr)
        return 1
    relay: LocalRelay | None = None
    try:
        if not arguments.no_relay:  # before the build, which takes its time
            relay = LocalRelay(arguments, server.port)
            server.relay = relay.url
        if not arguments.no_build and not freshness.start():
            return 1
        _announce(server, relay)
        if arguments.open:
            webbrowser.open(server.url())
        server.serve_forever(poll_interval=0.2)
    except RelayFailed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
    finally:
        server.server_close()
        if relay is not None:
            relay.stop()
    return 0


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def _refusal(error: Exception, arguments: argparse.Namespace) -> str:
    """Return the sentence for a server that could not be started."""
    port = arguments.port
    if isinstance(error, BadCertificate):
        return str(error)
    if isinstance(error, OverflowError):
        return f"{port} is not a port: give a number from 1 to 65535."
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        return f"Port {port} is in use: stop what uses it, or take another: {_elsewhere(arguments)}"
    if code in (errno.EACCES, errno.EPERM):
        return f"Port {port} may not be used by this user: give one above 1023 with --port."
    return f"Cannot listen on {arguments.host} port {port}: {error}"


def _elsewhere(arguments: argparse.Namespace) -> str:
    """Return this start's command with a port at which it would find room, for its relay too."""
    wanted = 1 if arguments.no_relay or arguments.relay_port is not None else 2
    found = next(
        port
        for port in [*range(arguments.port + 1, 65535), 0]
        if not port or all(_is_free(arguments.host, port + more) for more in range(wanted))
    )
    words = list(sys.argv[1:])
    if "--port" in words:
        at = words.index("--port")
        del words[at : at + 2]
    words = [word for word in words if not word.startswith("--port=")]
    return shlex.join(["python3", "serve.py", *words, "--port", str(found)])


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as asked:
        if sys.platform != "win32":
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asked.bind((host, port))
        except (OSError, OverflowError):
            return False
    return True


def _announce(server: SiteServer, relay: LocalRelay | None) -> None:
    from build.demos import demo_names

    print()
    for name, words in [
        ("store", "the store"),
        *((name, f"demo: {name}") for name in demo_names() if name != "index"),
    ]:
        print(f"  {server.url(name):<36} {words}")
    if relay is not None:
        print(f"  {relay.url:<36} the relay, where devices meet")
    print(f"  {server.url():<36} start here")
    print("\nCtrl-C stops it. A changed source is rebuilt when a page is loaded.", flush=True)
