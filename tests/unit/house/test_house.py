"""The script that counts files, floors and circles of the packages."""

from __future__ import annotations

from pathlib import Path

import house

CHECKING = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "


def test_figures_of_a_small_package(tmp_path: Path) -> None:
    """Three files in a chain have three floors; a circle is found where one half of it is for type checkers alone."""
    package = tmp_path / "relay" / "small"
    (package / "inner").mkdir(parents=True)
    (package / "inner" / "low.py").write_text("class A:\n    x: dict[str, Any] = {}\n")
    (package / "middle.py").write_text(
        CHECKING + "from .high import B\nfrom small.inner import low\n\n\ndef f():\n" + "    x = 1\n" * 50
    )
    (package / "high.py").write_text("def g():\n    import small.middle\n\n\nclass B:\n    pass\n")
    (tmp_path / "pyproject.toml").write_text('[tool.mypy]\nstrict = true\nfiles = ["relay/small/inner"]\n')
    found = house.figures(tmp_path, "relay/small")
    assert found.folders == {"relay/small": 2, "relay/small/inner": 1}
    assert found.floors == 3
    assert found.circles == [["small.high", "small.middle"]]
    assert (found.lines, found.longest_file, found.longest_class) == (65, (57, "middle.py"), (2, "B"))
    assert (found.dicts, found.long_functions, found.strict) == (1, 1, 1)


def test_the_packages_are_there() -> None:
    """Each package that the script names is one of the checkout's."""
    root = Path(house.__file__).parents[1]
    for package in house.PACKAGES:
        assert (root / package / "__init__.py").is_file()


def test_no_circles_in_the_relay() -> None:
    """No file of the relay imports another in a circle, not even for type checkers."""
    assert house.figures(Path(house.__file__).parents[1], "relay/masq_relay").circles == []
