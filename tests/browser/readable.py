"""Whether everybody can read a page: axe-core's rules in both themes, and nothing that sticks out of a narrow one."""

from __future__ import annotations

from typing import Any

from browser.harness import Browser

WIDTHS = (360, 1000)
"""CSS pixels: a small telephone, and a window on a desk."""

COLOURS = {"runOnly": {"type": "tag", "values": ["cat.color"]}}
"""The rules of axe-core that a theme can break: it changes colours and nothing else."""


def resize(driver: Browser, width: int) -> None:
    """Give the window a width in CSS pixels."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def show_theme(driver: Browser, theme: str) -> None:
    """Draw the store's page in a theme, as its settings do."""
    driver.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)


def faults(driver: Browser, axe: str, themes: tuple[str, ...] = ("light", "dark")) -> list[str]:
    """Return what is wrong with the page as it is shown now. `axe`: axe-core's source. It is wide at the end."""
    found: list[str] = []
    for width in WIDTHS:
        resize(driver, width)
        wide = driver.execute_script("return document.documentElement.scrollWidth")
        if wide > width:
            found.append(f"{wide} pixels wide at {width}")
    driver.execute_script(f"if (!window.axe) {{ {axe} }}")
    for theme in themes:
        show_theme(driver, theme)
        told: Any = driver.run(
            "const told = await axe.run(args[0]); return told.violations.map((v) =>"
            " [v.id, v.nodes.map((n) => n.target + ': ' + n.failureSummary)]);",
            {} if theme == themes[0] else COLOURS,
        )
        found += [f"{theme}: {rule} {targets}" for rule, targets in told]
    return found
