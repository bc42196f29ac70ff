"""Certificates for `serve.py`: read by the relay's own rules, for a relay is started with the same ones."""

from __future__ import annotations

import sys

from build.places import ROOT

sys.path.append(str(ROOT / "relay"))

from masq_relay.certificate import BadCertificate, server_context  # noqa: E402

__all__ = ["BadCertificate", "server_context"]
