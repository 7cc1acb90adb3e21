import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import plotly.graph_objects as go
import pytest
from sphinx.errors import ExtensionError

import seqviz as sv
from seqviz import book
from seqviz.explore.explorable import BOOK_VARIABLE, EXPLORABLE_MIME
from seqviz.verdicts import VERDICT_MIME

HOSTILE = "</script><!--<script><img src=x onerror=alert(1)>\"'& \u2028\u202eabc"


class Page(HTMLParser):
    """What a browser reads: the tags, the attributes, and the text by the tag it is in."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts = [], {}, {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.setdefault(tag, dict(attrs))

    def handle_data(self, data):
        key = self.tags[-1]
        self.texts[key] = self.texts.get(key, "") + data


def content_of(monkeypatch, words="a", points=3, name="one"):
    """What a notebook's cell hands to the build, with `words` wherever text may stand."""
    monkeypatch.setenv(BOOK_VARIABLE, "1")

    def figure_for(x, cell):
        figure = go.Figure(go.Scatter(y=[x + i / 7 for i in range(points)], text=[words, cell]))
        figure.update_layout(title={"text": words}, height=300)
        return sv.describe(figure, words)

    explorable = sv.explore(
        figure_for, name=name, caption=words, x=sv.Slider([1, 2], label=words, unit=words),
        cell=sv.Choice({words: words, "b": "b"}, label=words),
    )  # fmt: skip
    return json.loads(json.dumps(explorable._repr_mimebundle_()[EXPLORABLE_MIME]))


def test_a_figure_brings_its_grid_and_works_as_html(monkeypatch, tmp_path):
    content = content_of(monkeypatch)
    page = Page(book.figure_html(dict(content), tmp_path))
    assert json.loads(page.texts["script"]) == content
    assert page.attributes["figure"]["id"] == "one"
    assert page.attributes["figure"]["style"] == "--sv-height:300px"
    assert page.texts["figcaption"] == "a"
    assert "needs JavaScript" in page.texts["p"]


def test_no_text_breaks_out_of_the_script_or_an_attribute(monkeypatch, tmp_path):
    content = content_of(monkeypatch, HOSTILE)
    plain, hostile = (
        Page(book.figure_html(dict(c), tmp_path)) for c in (content_of(monkeypatch), content)
    )
    assert hostile.tags == plain.tags and hostile.attributes == plain.attributes
    assert json.loads(hostile.texts["script"]) == content
    assert hostile.texts["figcaption"] == HOSTILE


def test_a_large_grid_is_a_script_file_that_loads_when_it_is_near(monkeypatch, tmp_path):
    content = content_of(monkeypatch, HOSTILE, points=60_000)
    grids = tmp_path / "grids"
    page = Page(book.figure_html(dict(content), grids))
    (file,) = grids.iterdir()
    script = file.read_text(encoding="utf-8")
    assert len(script) > book.INLINE > len(page.texts["script"])
    spec = json.loads(page.texts["script"])
    assert spec["source"] == f"grids/{file.name}" and "packed" not in spec
    name, packed = json.loads("[" + re.fullmatch(r"seqvizGrid\((.*)\);", script, re.S)[1] + "]")
    assert (name, packed) == ("one", content["packed"])
    assert "</script" not in script


def test_a_grid_just_over_the_limit_is_a_file_and_one_at_the_limit_is_not(monkeypatch, tmp_path):
    content = content_of(monkeypatch)
    size = len(book._script_json(content["packed"]))
    monkeypatch.setattr(book, "INLINE", size)
    assert "packed" in json.loads(Page(book.figure_html(dict(content), tmp_path)).texts["script"])
    monkeypatch.setattr(book, "INLINE", size - 1)
    assert "source" in json.loads(Page(book.figure_html(dict(content), tmp_path)).texts["script"])


def test_a_grid_that_changes_gets_another_address(monkeypatch, tmp_path):
    monkeypatch.setattr(book, "INLINE", 0)
    for points in (3, 3, 4):  # so that no browser shows an old grid from its cache
        book.figure_html(content_of(monkeypatch, points=points), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


# What myst-nb hands over


@pytest.fixture
def handle(tmp_path):
    app = SimpleNamespace(outdir=str(tmp_path))
    env = SimpleNamespace(docname="chapter", app=app, seqviz_names={}, seqviz_verdicts={})
    renderer = SimpleNamespace(renderer=SimpleNamespace(sphinx_env=env))

    def handle(mime_type, content, inline=False):
        data = SimpleNamespace(mime_type=mime_type, content=content)
        return book.FigureRenderer.handle_mime(renderer, data, inline)

    handle.env = env
    return handle


def test_a_figure_may_come_as_text_or_as_a_record(handle, monkeypatch):
    first, second = content_of(monkeypatch), content_of(monkeypatch, name="two")
    (one,) = handle(EXPLORABLE_MIME, first)
    (two,) = handle(EXPLORABLE_MIME, json.dumps(second))
    assert 'id="one"' in one.astext() and 'id="two"' in two.astext()
    assert one["format"] == "html" and handle.env.seqviz_names == {"chapter": ["one", "two"]}


def test_two_figures_of_one_name_fail_the_build(handle, monkeypatch):
    handle(EXPLORABLE_MIME, content_of(monkeypatch))
    with pytest.raises(ExtensionError, match="chapter has two figures named 'one'"):
        handle(EXPLORABLE_MIME, content_of(monkeypatch))
    handle.env.docname = "another"  # addresses are a page's own
    assert handle(EXPLORABLE_MIME, content_of(monkeypatch))


@pytest.mark.parametrize("title", [{}, {"title": HOSTILE}, {"title": {"text": HOSTILE}}])
def test_a_plain_plotly_figure_comes_out_through_the_same_code(handle, title):
    figure = {"data": [{"type": "bar", "y": [1, 2]}], "layout": {**title, "template": {"x": 1}}}
    (node,) = handle(book.PLOTLY_MIME, figure)
    page = Page(node.astext())
    spec = json.loads(page.texts["script"])
    assert (spec["name"], spec["controls"]) == ("figure-1", [])
    assert spec["caption"] == (HOSTILE if title else "")
    (shown,) = spec["packed"]["figures"]
    assert shown == {"data": figure["data"], "layout": title}  # the page has its own template
    assert page.tags.count("script") == 1 and "img" not in page.tags
    assert 'id="figure-2"' in handle(book.PLOTLY_MIME, figure)[0].astext()


def test_a_verdict_is_kept_for_the_table_of_claims(handle):
    verdict = sv.verdict("a&b", sv.Check("x", [1], above=0), conditions="Small.").json()
    (node,) = handle(VERDICT_MIME, verdict)
    assert "Verdict:" in node.astext()
    app = SimpleNamespace(
        env=handle.env,
        builder=SimpleNamespace(get_relative_uri=lambda page, doc: f"{doc}.html"),
    )
    other = sv.Claim.placeholder("other")
    context = {"pagename": "opening", "body": sv.Claim.placeholder("a&b") + other}
    book._fill_claims(app, "opening", "page.html", context, None)
    assert '<a href="chapter.html#verdict-a&amp;b">holds</a>' in context["body"]
    assert context["body"].endswith(other)


def test_other_output_is_left_to_others(handle):
    assert handle("text/plain", "1") is None
    assert handle(EXPLORABLE_MIME, {}, inline=True) is None


def test_a_build_without_the_front_end_says_what_to_run(monkeypatch, tmp_path):
    monkeypatch.setattr(book, "STATIC", tmp_path)
    with pytest.raises(ExtensionError, match="are not built: run `make front`"):
        book._begin(SimpleNamespace())
