"""A figure whose every text is hostile: it is drawn, and nothing in it is executed."""

import json

import plotly.graph_objects as go
import pytest
from built_site import numbers

import seqviz as sv
from seqviz.book import figure_html
from seqviz.plots.style import TEMPLATES, escape

BREAK_OUT = "</script></figcaption><img src=x onerror=\"window.hostile='markup'\">"
TEXTS = {
    "markup": BREAK_OUT,
    "link": "<a href=\"javascript:window.hostile='link'\">x</a>",
    "quotes": '"\'`&quot;&lt;img src=x onerror=window.hostile=1&gt; onclick="window.hostile=1" \\',
    "right to left": "שלום עולם \u202eevil\u202c مرحبا بالعالم",
    "long": "A" * 10_000,
    "comment": "<!-- <script> --> ${window.hostile=1} {{7*7}} \u2028\u2029\u0000 §missing",
}
FILES = "_static/seqviz"


def explorable(text: str, many: bool) -> sv.Explorable:
    """A figure with `text` in every place that takes text; with `many` its grid is a file."""
    count = 6_000 if many else 8
    # Plotly cannot lay out thousands of characters; escape() keeps them from it.
    raw = text if len(text) < 200 else escape(text)

    def figure_for(n, kind, shown):
        fig = go.Figure()
        y = [n * (i % 7) + (kind == text) for i in range(count)]
        mode = "lines+text" if shown else "lines"
        fig.add_scatter(x=list(range(count)), y=y, name=raw, text=[raw], mode=mode)
        # One axis as a chapter should write it, one as it should not.
        fig.update_xaxes(title={"text": raw}, tickvals=[0, 1], ticktext=[escape(text), raw])
        fig.update_yaxes(title={"text": escape(text)})
        fig.add_annotation(text=raw, hovertext=raw, x=1, y=1)
        return sv.describe(fig, f"{text} {n}")

    return sv.explore(
        figure_for,
        name="made",
        caption=text,
        n=sv.Slider([1 + i / 10 for i in range(9)], label=text, unit=text[:50], play=True),
        kind=sv.Choice([text, "plain"], label=text),
        shown=sv.Toggle(label=text),
    )


@pytest.mark.parametrize(
    ("text", "many"),
    [*((text, False) for text in TEXTS.values()), (BREAK_OUT, True)],
    ids=[*TEXTS, "in a file"],
)
def test_a_hostile_figure_is_drawn_and_executes_nothing(text, many, visit, tmp_path):
    made = explorable(text, many)
    body = figure_html({**made.spec(), "packed": made.packed()}, tmp_path)
    assert list(tmp_path.iterdir()) or not many
    templates = json.dumps(TEMPLATES)
    document = (
        '<!DOCTYPE html><html lang="en" data-theme="light"><meta charset="utf-8">'
        f'<link rel="stylesheet" href="/{FILES}/style.css">'
        '<meta name="viewport" content="width=device-width">'
        f"<script>globalThis.seqvizTemplates={templates}</script>"
        f'<body><p id="before"></p>{body}<p id="after"></p>'
        f'<script src="/{FILES}/page.js"></script></body></html>'
    )
    reader = visit(width=375)
    page, address = reader.page, reader.address

    def grid(route):
        name = route.request.url.rsplit("/", 1)[1]
        route.fulfill(path=tmp_path / name, content_type="text/javascript")

    def html(route):
        route.fulfill(body=document, content_type="text/html")

    page.route(f"{address}/{FILES}/grids/*", grid)
    page.route(f"{address}/hostile.html", html)
    page.goto(f"{address}/hostile.html")
    reader.draw("made")
    figure = reader.figure("made")
    for _ in range(2):
        figure.locator("input[type=range]").press("ArrowRight")
    figure.locator("input:checked").first.press("ArrowRight")
    figure.locator("input[type=checkbox]").press("Space")
    assert reader.positions("made") == {"n": 2, "kind": 1, "shown": 1}
    # Hovering and clicking are ways in as well.
    figure.locator(".sv-plot").hover(position={"x": 150, "y": 150})
    page.wait_for_function("location.hash.includes('made.n')")
    page.reload()
    reader.draw("made")
    shown = json.loads(reader.shown("made"))
    assert numbers(shown[0][0][0]["y"])[1] == pytest.approx(1.2)
    # The text stands as it was written, in full.
    as_is = text.replace("\u0000", "\ufffd")
    assert page.evaluate("document.querySelector('figcaption span').textContent") in (text, as_is)
    assert page.evaluate("document.querySelector('legend').textContent") in (text, as_is)
    assert figure.locator("img, script, iframe, object, embed").count() == 0
    assert page.locator("#before + figure + #after").count() == 1
    links = page.evaluate(
        """[...document.querySelectorAll("figure a, figure a *")]
        .map((a) => a.getAttribute("href") ?? a.getAttribute("xlink:href") ?? "")"""
    )
    assert not [link for link in links if link.strip().lower().startswith("javascript")]
    assert page.evaluate("window.hostile") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
