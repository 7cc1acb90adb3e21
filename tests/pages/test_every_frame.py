"""The views of bertviz on the built pages: drawn with the network cut, alive, and shut in."""

import html
import re

import numpy as np
import pytest
from built_site import SITE, pages

import seqviz as sv
from seqviz.explore.explorable import BOOK_VARIABLE

FRAME = re.compile(r'<figure class="sv-frame" id="([^"]+)" data-source="([^"]+)"')
FRAMES = [
    (page, *found)
    for page in pages()
    for found in FRAME.findall((SITE / page).read_text(encoding="utf-8"))
]
HOSTILE = "</script><img src=x onerror=\"window.top.hostile='frame'\">"
every_frame = pytest.mark.parametrize("frame", FRAMES, ids=lambda f: f"{f[0]}#{f[1]}")


def opened(reader, name):
    """The frame's own document, once it has drawn its lines."""
    reader.page.locator(f"#{name}").scroll_into_view_if_needed()
    reader.page.wait_for_selector(f"#{name}[data-drawn]")
    inside = reader.page.locator(f"#{name} iframe").content_frame
    inside.locator("svg line").first.wait_for(state="attached")
    return inside


def lines(inside):
    return inside.locator("svg").evaluate("svg => svg.innerHTML")


def test_there_are_frames():
    assert FRAMES


@every_frame
@pytest.mark.parametrize("file", [False, True], ids=["served", "file"])
def test_a_frame_is_drawn_and_moves(frame, file, visit):
    page, name, _ = frame
    reader = visit(page, file=file)
    inside = opened(reader, name)
    before = lines(inside)
    layer = inside.locator("#layer")
    if layer.count():
        layer.select_option(label="1")
    else:
        reader.page.locator(f"#{name} iframe").click(position={"x": 120, "y": 80})
    assert lines(inside) != before
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 1280


@every_frame
def test_a_frame_is_light_and_cannot_reach_the_page(frame, visit):
    page, name, source = frame
    sizes = [(SITE / "_static" / "seqviz" / f).stat().st_size for f in (source, "frame-library.js")]
    assert sum(sizes) < 1e6
    reader = visit(page, width=375, theme="dark")
    inside = opened(reader, name)
    blocked = inside.locator("body").evaluate(
        "() => { try { return window.parent.document.title; } catch { return 'blocked'; } }"
    )
    assert blocked == "blocked"
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 375


@pytest.mark.parametrize("view", [sv.head_view, sv.model_view])
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_a_hostile_token_is_shown_and_not_executed(view, visit, monkeypatch):
    monkeypatch.delenv(BOOK_VARIABLE, raising=False)
    made = view(np.full((2, 2, 2, 2), 0.5), [HOSTILE, "b"], name="made", caption="<i>Made.</i>")
    body = made._repr_mimebundle_()["text/html"]  # as in a notebook
    reader = visit()
    page, address = reader.page, f"{reader.address}/frame.html"
    document = f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><body>{body}</body></html>'
    page.route(address, lambda route: route.fulfill(body=document, content_type="text/html"))
    page.goto(address)
    inside = page.locator("iframe").content_frame
    inside.locator("svg line").first.wait_for(state="attached")
    if view is sv.model_view:
        page.locator("iframe").click(position={"x": 120, "y": 60})
    assert HOSTILE in html.unescape(inside.locator("svg").evaluate("svg => svg.textContent"))
    assert inside.locator("img").count() == 0
    assert page.evaluate("window.hostile") is None
