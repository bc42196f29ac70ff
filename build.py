#!/usr/bin/env python3
"""Build the static site into dist/: the store, the demos and the client. `--help` lists the options."""

import argparse
import sys
from pathlib import Path


def main() -> int:
    """Build as the arguments say; returns the exit status."""
    from build.environment import enter

    enter(__file__)
    from build.address import store_address
    from build.places import DEFAULT_STORE, DIST, BuildError
    from build.whole import first_load, make_dist

    parser = argparse.ArgumentParser(description="Build the store, the demos and the client into dist/.")
    parser.add_argument(
        "--release", action="store_true", help="compress as well as can be; takes a minute longer"
    )
    parser.add_argument(
        "--store", default=DEFAULT_STORE, metavar="URL", help="the store's address, for the demos"
    )
    parser.add_argument(
        "--out", type=Path, default=DIST, metavar="FOLDER", help="where to build (default: dist)"
    )
    parser.add_argument("--force", action="store_true", help="build even if nothing has changed")
    arguments = parser.parse_args()
    try:
        store = store_address(arguments.store)
        if not make_dist(
            arguments.out.resolve(), release=arguments.release, store=store, force=arguments.force
        ):
            print("Nothing has changed since the last build.")
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print("What a browser loads before the store's first answer, in bytes:")
    total = dict.fromkeys(("raw", "br", "gz"), 0)
    for name, sizes in first_load(arguments.out.resolve()).items():
        for kind, size in sizes.items():
            total[kind] += size
        if sizes["raw"] >= 100_000:
            print(f"  {sizes['br']:>12,} br {sizes['gz']:>12,} gz {sizes['raw']:>12,} raw  {name}")
    print(
        f"  {total['br']:>12,} br {total['gz']:>12,} gz {total['raw']:>12,} raw  together, with the small files"
    )
    return 0


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit("Masq needs Python 3.11 or newer; this is Python %d.%d." % sys.version_info[:2])
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
