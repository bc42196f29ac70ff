"""The certificate for wss, and the one that takes its place while the relay runs."""

from __future__ import annotations

import ssl
from pathlib import Path

from masq_relay.certificate import BadCertificate, server_context
from masq_relay.event_log import EventLog


class Certificate:
    """A certificate and its key, from PEM files. `context` is for listening, and stays the same when they change.

    Args:
        context: what serves with the files as they are now.
        certfile: path of the certificate, with its chain.
        keyfile: path of its key, where that is not in the same file.
    """

    def __init__(self, context: ssl.SSLContext, certfile: str, keyfile: str | None = None) -> None:
        self.context = context
        self._files = (certfile, keyfile)
        self._tried = self._state()

    @property
    def changed(self) -> bool:
        """Whether the files are others than were last tried."""
        return self._state() != self._tried

    def renew(self) -> None:
        """Take the files up as they are now. Raises BadCertificate; then all stays as it was."""
        self._tried = self._state()
        # First into a context that nobody uses: a certificate without its key would spoil the one in use.
        server_context(*self._files)
        self.context.load_cert_chain(*self._files, password="")

    def renew_and_log(self, event_log: EventLog) -> None:
        """Take the files up as they are now, for connections from now on; say in the log whether that went well."""
        try:
            self.renew()
        except BadCertificate as error:
            event_log.write("error", "certificate not taken", reason=str(error))
        else:
            event_log.write("info", "certificate taken")

    def _state(self) -> tuple[object, ...]:
        found: list[object] = []
        for name in filter(None, self._files):
            try:
                stat = Path(name).stat()
                # A pipe gives what it holds once, and is never another.
                found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino) if Path(name).is_file() else None)
            except OSError as error:
                found.append(error.errno)
        return tuple(found)


def certificate(certfile: str | None, keyfile: str | None) -> Certificate | None:
    """Return the certificate in these files; None where neither is given. Raises BadCertificate."""
    context = server_context(certfile, keyfile)
    return None if context is None or certfile is None else Certificate(context, certfile, keyfile)
