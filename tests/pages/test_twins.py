"""What the page computes itself against what Python computes, over ordinary and hostile input."""

import json
import random
import subprocess
from collections import Counter

import pytest
from built_site import ROOT, figures, numbers

from seqviz.explore.grid import figure_json, unpack
from seqviz.plots import bags
from seqviz.tasks import ngrams, words

SENTENCES = [
    *["", "   ", "work to live", "Live to work.", "The cat -- it's on 'the' mat!", "a a a b"],
    "</script><img src=x onerror=\"window.hostile='twin'\">",
    "&amp; &lt;b&gt; <b>bold</b> & co",
    "\"quoted\" 'single' `tick` \\n \\",
    *["שלום עולם שלום", "مرحبا بالعالم", "\u202eright\u202c left"],
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 family \U0001f44d\U0001f3fd \U0001f1eb\U0001f1f7",
    *["e\u0301 é E\u0301 É", "İstanbul ISPARTA ıspanak i", "Straße STRASSE ẞ ﬁ Ǆ ǅ"],
    *["ΟΔΥΣΣΕΥΣ Σ ΑΣ' ΑΣΑ ὈΔΥΣΣΕΎΣ", "𝐀𝐁 𐐀𐐁 " * 5],
    "a\u00a0b\u1680c\u2003d\u2028e\u2029f\u202fg\u205fh\u3000i\tj\nk\rl\fm\vn",
    "a\u200bb\u200cc\ufeffd\u0085e\u001cf\u180eg",
    "_under_ -dash- ¿que? «quoi» “curly” …",
    *["word " * 30, "x" * 10_000, "x y z " * 1_700, " ".join(f"w{i}" for i in range(40))],
    *["abcdefghijklmnopqrstuvwx", "abcdefghijklmnopqrstuvwxy", "👍" * 24, "👍" * 25],
    *["constructor __proto__ toString hasOwnProperty", "0 1 1.5 -0 1e5", "§missing"],
]
LETTERS = "abAB .,'\"<>&-_ \u00a0\u2009\u3000éÉİıΣσς שم👍\u0301\u200d"

BUNDLE = """
export { words, pageFunctions } from "./seqviz/front/words.js";
export { openGrid } from "./seqviz/front/grid.js";
"""


def bag_figure(positions: dict, controls: list[dict]) -> dict:
    n = next(c for c in controls if c["name"] == "n")["values"][positions["n"]]
    bag = [Counter(" ".join(gram) for gram in ngrams(words(positions[side]), n))
           for side in ("first", "second")]  # fmt: skip
    return figure_json(bags(*bag, n))


TWINS = {"compareBags": bag_figure}
COMPUTED = [f for f in figures() if f.packed.get("function")]
GRIDS = [f for f in figures() if "slots" in f.packed]


@pytest.fixture
def front(visit):
    """A blank page with the front end's own modules, bundled as for the book."""
    esbuild = ROOT / "node_modules" / ".bin" / "esbuild"
    assert esbuild.is_file(), "esbuild is not installed: run `make front`."
    command = [esbuild, "--bundle", "--format=iife", "--global-name=front", "--log-level=error"]
    script = subprocess.run(
        command,
        input=BUNDLE,
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
        encoding="utf-8",
    ).stdout
    reader = visit()
    reader.page.evaluate(f"{script}; globalThis.front = front")
    return reader.page


def sentences() -> list[str]:
    chance = random.Random(0)
    return SENTENCES + [
        "".join(chance.choices(LETTERS, k=chance.randrange(120))) for _ in range(120)
    ]


def test_words_are_split_alike(front):
    texts = sentences()
    assert front.evaluate("(texts) => texts.map(front.words)", texts) == [words(t) for t in texts]


def test_every_page_function_has_a_twin(front):
    assert set(front.evaluate("Object.keys(front.pageFunctions)")) == set(TWINS)
    assert {f.packed["function"] for f in COMPUTED} <= set(TWINS)


def test_two_bags_are_drawn_alike(front):
    controls = [
        {"name": "first", "kind": "text"}, {"name": "second", "kind": "text"},
        {"name": "n", "kind": "slider", "values": [1, 2, 3]},
    ]  # fmt: skip
    chance = random.Random(1)
    texts = sentences()
    cases = [
        {"first": a, "second": b, "n": n}
        for n in range(3)
        for a, b in [(t, chance.choice(texts)) for t in texts] + [(t, t) for t in texts[:20]]
    ]
    base = [figure_json(bags(Counter(), Counter()))]
    drawn = front.evaluate(
        "([base, cases, controls]) => cases.map((positions) => "
        "front.pageFunctions.compareBags(base, positions, controls)[0])",
        [json.loads(json.dumps(base)), cases, controls],
    )
    for case, figure in zip(cases, drawn):
        assert figure == numbers(bag_figure(case, controls)), case
    assert front.evaluate("window.hostile") is None


@pytest.mark.parametrize("typed", COMPUTED, ids=str)
def test_what_a_reader_types_is_drawn_alike(typed, visit):
    reader = visit(typed.page)
    reader.draw(typed.name)
    twin = TWINS[typed.packed["function"]]
    boxes = reader.figure(typed.name).locator("input[type=text]")
    limit = next(c["limit"] for c in typed.controls if c["kind"] == "text")
    short = [s for s in SENTENCES if len(s) <= limit and not set(s) & set("\n\r")]
    for i, sentence in enumerate(short):
        for box in range(boxes.count()):
            boxes.nth(box).evaluate(
                "(input, text) => { input.value = text; input.dispatchEvent(new Event('input')); }",
                short[(i + 7 * box) % len(short)],
            )
        positions = reader.positions(typed.name)
        assert sentence in positions.values()
        ((data, layout),) = json.loads(reader.shown(typed.name))
        wanted = numbers(twin(positions, typed.controls))
        for trace, expected in zip(data, wanted["data"]):
            assert (trace["x"], trace["y"]) == (expected["x"], expected["y"]), sentence
        assert layout["yaxis"]["ticktext"] == wanted["layout"]["yaxis"]["ticktext"], sentence
        assert layout["meta"] == wanted["layout"]["meta"], sentence
    # By hand it goes no further than the limit.
    boxes.first.focus()
    reader.page.keyboard.press("Control+A")
    reader.page.keyboard.insert_text("y" * 10_000)
    assert boxes.first.input_value() == "y" * limit
    assert reader.page.evaluate("window.hostile") is None
    assert reader.figure(typed.name).locator("img").count() == 0


def test_a_grid_is_taken_apart_alike(front):
    assert GRIDS
    chance = random.Random(2)
    for figure in GRIDS:
        packed = figure.packed
        places = [[chance.randrange(size) for size in packed["sizes"]] for _ in range(25)]
        opened = front.evaluate(
            """([packed, places]) => { const at = front.openGrid(packed);
              return JSON.stringify(places.map(at),
                (_, value) => ArrayBuffer.isView(value) ? Array.from(value) : value); }""",
            [packed, places],
        )
        for place, figures_at in zip(places, json.loads(opened)):
            # A typed array that never changes stays encoded, for plotly to read.
            wanted = unpack(packed, place)
            assert numbers(figures_at) == numbers(wanted), f"{figure} at {place}"
