import html
import json
import re

import numpy as np
import pytest

import seqviz as sv
from seqviz import book
from seqviz.explore.explorable import BOOK_VARIABLE
from seqviz.explore.frame import FRAME_MIME, LIBRARY, LIMIT, STATIC, Frame

pytest.importorskip("bertviz")
# bertviz leaves its own file open until it is collected.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)

HOSTILE = "</script><img src=x onerror=alert(1)>"


def attention(layers=2, heads=3, words=4):
    scores = np.random.default_rng(0).normal(size=(layers, heads, words, words))
    weights = np.exp(scores)
    return weights / weights.sum(-1, keepdims=True)


VIEWS = pytest.mark.parametrize("view", [sv.head_view, sv.model_view])


def made(view, tokens=("a", "b", "c", "d"), **changes):
    settings = {"name": "one", "caption": "What is seen.", **changes}
    weights = settings.pop("attention", attention(words=len(tokens)))
    return view(weights, tokens, **settings)


@VIEWS
def test_a_view_asks_nothing_of_the_network_and_is_always_the_same(view):
    frame = made(view)
    assert "http" not in frame.content and "src=" not in frame.content
    assert "require.config" not in frame.content and frame.content.count(LIBRARY) == 1
    assert made(view).content == frame.content


@VIEWS
def test_a_view_holds_the_weights_to_three_digits(view):
    weights = attention()
    data = re.search(r"const params = (\{.*?\});\s", made(view).content).group(1)
    kept = np.array(json.loads(data)["attention"][0]["attn"])
    np.testing.assert_allclose(kept, weights, atol=5.01e-4)
    assert not re.search(r"\d\.\d{4}", data)


@VIEWS
@pytest.mark.parametrize("token", [HOSTILE, "\ue000", "<", "PYTHON_PARAMS", "]]>", "\u2028"])
def test_a_token_cannot_leave_its_string(view, token):
    frame = made(view, tokens=("a", token, "c", "d"))
    assert frame.content.count("</script") == made(view).content.count("</script")
    assert "<img" not in frame.content
    if token == HOSTILE:
        data = re.search(r"const params = (\{.*?\});\s", frame.content).group(1)
        assert json.loads(data)["attention"][0]["left_text"][1] == HOSTILE


def test_in_a_notebook_the_view_is_a_sandboxed_frame_with_its_library(monkeypatch):
    monkeypatch.delenv(BOOK_VARIABLE, raising=False)
    text = made(sv.head_view, caption="<b> & so on.")._repr_mimebundle_()["text/html"]
    assert 'sandbox="allow-scripts"' in text and "<b>" not in text
    document = html.unescape(re.search(r'srcdoc="([^"]*)"', text).group(1))
    assert LIBRARY not in document and "requirejs=" in document.replace(" ", "")
    assert len(text) < 1e6


def test_on_a_page_the_document_is_a_file_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv(BOOK_VARIABLE, "1")
    frame = made(sv.model_view, tokens=("a", HOSTILE, "c", "d"), caption="<b> & so on.")
    spec = frame._repr_mimebundle_()[FRAME_MIME]
    page = book.frame_html(json.loads(json.dumps(spec)), tmp_path)
    (file,) = tmp_path.iterdir()
    assert f'data-source="grids/{file.name}"' in page and 'sandbox="allow-scripts"' in page
    assert "<b>" not in page and "srcdoc" not in page
    text = file.read_text(encoding="utf-8")
    assert text.startswith('seqvizGrid("one",') and "<" not in text
    assert json.loads(text[len('seqvizGrid("one",') : -2]) == frame.content


def test_bad_input_is_answered_in_a_sentence():
    with pytest.raises(ValueError, match=r"\(layer, head, 4, 4\)"):
        made(sv.head_view, attention=np.ones((2, 4, 4)))
    with pytest.raises(ValueError, match=r"\(layer, head, 4, 4\)"):
        made(sv.model_view, attention=np.ones((2, 2, 4, 3)))
    with pytest.raises(ValueError, match=r"\(layer, head, 0, 0\)"):
        made(sv.model_view, tokens=(), attention=np.ones((2, 0, 0, 0)))
    for odd in (np.nan, -0.1, 1.5):
        with pytest.raises(ValueError, match="between 0 and 1"):
            made(sv.model_view, attention=np.full((2, 3, 4, 4), odd))
    with pytest.raises(ValueError, match="name must be lower-case"):
        Frame("text", "height:1px", "../x", "Caption.")
    with pytest.raises(ValueError, match="name must be lower-case"):
        made(sv.head_view, name='x"><script>')
    with pytest.raises(ValueError, match="caption"):
        made(sv.head_view, caption=" ")
    words = int((LIMIT / 6 / 72) ** 0.5) + 1
    with pytest.raises(ValueError, match="more than 1 MB"):
        sv.model_view(np.ones((6, 12, words, words)), ["a"] * words, name="x", caption="Much.")


@VIEWS
def test_no_view_weighs_more_than_a_megabyte(view, monkeypatch):
    monkeypatch.delenv(BOOK_VARIABLE, raising=False)
    library = len((STATIC / "frame.js").read_text(encoding="utf-8"))
    with pytest.raises(ValueError, match="more than 1 MB"):
        made(view, tokens=("a", "b" * 900_000, "c", "d"))
    largest = None
    for words in range(20, 60, 4):
        try:
            largest = made(view, tokens=["word"] * words, attention=attention(6, 12, words))
        except ValueError:
            break
    else:
        pytest.fail("No view was refused.")
    assert len(largest.content.encode()) + library < 1e6
    assert largest.content.count('"attn"') == 1  # the data stand in it once
    assert len(largest._repr_mimebundle_()["text/html"].encode()) < 1e6


def test_the_size_of_a_frame_stays_in_its_attribute(monkeypatch, tmp_path):
    frame = Frame("text", 'height:1px" onload="alert(1)', "one", "Caption.")
    monkeypatch.setenv(BOOK_VARIABLE, "1")
    page = book.frame_html(frame._repr_mimebundle_()[FRAME_MIME], tmp_path)
    monkeypatch.delenv(BOOK_VARIABLE)
    for text in (page, frame._repr_mimebundle_()["text/html"]):
        assert 'onload="' not in text and "onload=&quot;" in text
