"""Takes pictures of every page: `python -m tests.ui.screens docs`, one sheet of all and three for the README."""

import base64
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright
from tests.e2e.longwire_process import Longwire
from tests.e2e.sink import Sink
from tests.ui.conftest import CHROMIUM, FLAGS, signed_in
from tests.ui.places import Shown, furnish

SHAPES: tuple[tuple[str, Any, int, int], ...] = (
    ("light", "light", 1440, 900),
    ("dark", "dark", 1440, 900),
    ("phone light", "light", 390, 844),
    ("phone dark", "dark", 390, 844),
)
OF_THE_README = {"dashboard": "dashboard", "connection closed": "connection", "delivery": "delivery"}
_SHEET = """<style>body{margin:8px;font:11px sans-serif;background:#777;display:grid;gap:6px;
grid-template-columns:repeat(2,96px 300px 300px 80px 80px)}b{color:#fff}img{width:100%}</style>"""


def take(folder: Path) -> None:
    """Write `screens.png` and the pictures of the README."""
    with tempfile.TemporaryDirectory() as scratch, Longwire(Path(scratch)).start() as server, Sink() as sink:
        shown = furnish(server.api, sink)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            pictures = {shape[0]: _pictures(browser, server, shown, shape) for shape in SHAPES}
            for name, file in OF_THE_README.items():
                (folder / f"{file}.png").write_bytes(pictures["light"][name])
            (folder / "screens.png").write_bytes(_sheet(browser, pictures))
            browser.close()


def _pictures(
    browser: Browser, server: Longwire, shown: Shown, shape: tuple[str, Any, int, int]
) -> dict[str, bytes]:
    _, scheme, width, height = shape
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{server.port}",
        color_scheme=scheme,
        viewport={"width": width, "height": height},
    )
    page = context.new_page()
    page.goto("/ui/signIn")
    found = {"sign in": page.screenshot()}
    context.add_cookies([signed_in(browser, server)])
    for name, path in shown.paths.items():
        page.goto(f"/ui/{path}")
        found[name] = page.screenshot()
    context.close()
    return found


def _sheet(browser: Browser, pictures: dict[str, dict[str, bytes]]) -> bytes:
    rows = []
    for name in pictures["light"]:
        images = (base64.b64encode(each[name]).decode() for each in pictures.values())
        rows.append(
            f"<b>{name}</b>" + "".join(f'<img src="data:image/png;base64,{each}">' for each in images)
        )
    page = browser.new_page(viewport={"width": 1760, "height": 900})
    page.set_content(_SHEET + "".join(rows))
    return page.screenshot(full_page=True)


if __name__ == "__main__":
    take(Path(sys.argv[1]))
