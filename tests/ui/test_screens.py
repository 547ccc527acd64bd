"""A picture of every page, all on one sheet; `SCREENS=docs` renews that of the docs and the three of the README."""

import base64
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from tests.e2e.longwire_process import Longwire
from tests.e2e.sink import Sink
from tests.ui.conftest import signed_in
from tests.ui.places import furnish

SHAPES: tuple[tuple[str, Any, int, int], ...] = (
    ("light", "light", 1440, 900),
    ("dark", "dark", 1440, 900),
    ("phone light", "light", 390, 844),
    ("phone dark", "dark", 390, 844),
)
OF_THE_README = {"dashboard": "dashboard", "connection closed": "connection", "delivery": "delivery"}
NOT_FOUND = "problem"
_SHEET = """<style>body{margin:8px;font:11px sans-serif;background:#777;display:grid;gap:6px;
grid-template-columns:repeat(2,96px 300px 300px 80px 80px)}b{color:#fff}img{width:100%}</style>"""
_DRAWN = "() => [...document.images].filter(each => each.complete && each.naturalWidth).length"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give where the pictures go: away with the test, unless somebody wants them."""
    return Path(os.environ.get("SCREENS", tmp_path))


def test_every_page_has_its_pictures_on_one_sheet(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, folder: Path
) -> None:
    with Longwire(tmp_path_factory.mktemp("screens")).start() as server, Sink() as sink:
        paths = furnish(server.api, sink).paths
        pictures = {shape[0]: dict(_pictures(browser, server, paths, shape)) for shape in SHAPES}

    assert [name for name in paths if pictures["light"][name] == pictures["dark"][name]] == []
    for name, file in OF_THE_README.items():
        (folder / f"{file}.png").write_bytes(pictures["light"][name])
    (folder / "screens.png").write_bytes(_sheet(browser, pictures))


def _pictures(
    browser: Browser, server: Longwire, paths: Mapping[str, str], shape: tuple[str, Any, int, int]
) -> Iterator[tuple[str, bytes]]:
    _, scheme, width, height = shape
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{server.port}",
        color_scheme=scheme,
        viewport={"width": width, "height": height},
    )
    page = context.new_page()
    yield "sign in", _picture(page, "signIn", 200)
    context.add_cookies([signed_in(browser, server)])
    for name, path in paths.items():
        yield name, _picture(page, path, 404 if name == NOT_FOUND else 200)
    context.close()


def _picture(page: Page, path: str, status: int) -> bytes:
    answer = page.goto(f"/ui/{path}")
    assert answer is not None
    assert (path, answer.status) == (path, status)
    return page.screenshot()


def _sheet(browser: Browser, pictures: Mapping[str, Mapping[str, bytes]]) -> bytes:
    rows = []
    for name in pictures["light"]:
        images = (base64.b64encode(each[name]).decode() for each in pictures.values())
        rows.append(
            f"<b>{name}</b>" + "".join(f'<img src="data:image/png;base64,{each}">' for each in images)
        )
    page = browser.new_page(viewport={"width": 1760, "height": 900})
    page.set_content(_SHEET + "".join(rows))
    assert page.evaluate(_DRAWN) == sum(len(each) for each in pictures.values())
    return page.screenshot(full_page=True)
