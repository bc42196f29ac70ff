#!/usr/bin/env python3
"""Serve Masq on this machine: the store, the demos, an index and a relay. `python3 serve.py --help` lists the options.

Needs Python 3.11 or newer and nothing else: it makes its own virtual environment here, builds `dist/`, and serves it.
"""

import sys


def main():
    """Serve until Ctrl-C or SIGTERM; returns the exit status."""
    arguments = parse()
    from build.environment import enter

    if arguments.no_build:
        from build.places import DIST

        if not (DIST / "store").is_dir():
            sys.exit("There is no dist/ to serve: run python3 build.py first, or leave out --no-build.")
    else:
        enter(__file__, ("build",) if arguments.no_relay else ("build", "relay"))
    from build.serving import serve

    return serve(arguments)


def parse():
    """Read the command line."""
    import argparse

    parser = argparse.ArgumentParser(
        description="Serve the store, the demos, an index and a relay on this machine."
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: 8000)")
    parser.add_argument("--no-relay", action="store_true", help="leave the relay out")
    parser.add_argument(
        "--relay-port", type=int, metavar="PORT", help="port of the relay (default: the one after --port)"
    )
    parser.add_argument(
        "--relay-data",
        metavar="FOLDER",
        help="folder for what the relay keeps (default: in .cache, by --port)",
    )
    parser.add_argument("--open", action="store_true", help="open the index in the browser")
    parser.add_argument("--certfile", help="PEM file with a certificate, for https")
    parser.add_argument("--keyfile", help="PEM file with its key, where that is a file of its own")
    parser.add_argument("--no-build", action="store_true", help="serve dist/ as it is")
    arguments = parser.parse_args()
    if arguments.host not in ("127.0.0.1", "localhost", "::1") and arguments.certfile is None:
        sys.exit(
            "--host beyond this machine needs --certfile: browsers give no encryption to pages over plain http, "
            "and the store does not work without it."
        )
    return arguments


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("Masq needs Python 3.11 or newer; this is Python %d.%d." % sys.version_info[:2])
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(0)
