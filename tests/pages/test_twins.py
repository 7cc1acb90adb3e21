"""What the page computes itself against what Python computes, over ordinary and hostile input."""

import base64
import json
import random
import re
import subprocess
import zlib
from collections import Counter

import numpy as np
import pytest
import torch
from built_site import ROOT, SITE, figures, numbers

import seqviz as sv
from seqviz.explore.grid import figure_json, unpack
from seqviz.plots.attention import STEPS
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
export { words } from "./seqviz/front/words.js";
export { pageFunctions } from "./seqviz/front/functions.js";
export { fixed, rint } from "./seqviz/front/rounded.js";
export { openVocabulary } from "./seqviz/front/typed.js";
export { openGrid } from "./seqviz/front/grid.js";
"""


def value(positions: dict, controls: list[dict], name: str):
    return next(c for c in controls if c["name"] == name)["values"][positions[name]]


def bag_figure(positions: dict, controls: list[dict]) -> list[dict]:
    n = value(positions, controls, "n")
    bag = [Counter(" ".join(gram) for gram in ngrams(words(positions[side]), n))
           for side in ("first", "second")]  # fmt: skip
    return [figure_json(sv.plots.bags(*bag, n))]


def steps_figures(positions: dict, controls: list[dict], reader: sv.PageFunction) -> list[dict]:
    reading = reader.read(positions["sentence"])
    matrices = {name: array[positions["head"]] for name, array in reading.results.items()}
    step, query = (value(positions, controls, name) - 1 for name in ("step", "query"))
    drawn = sv.plots.attention_step(
        reading.words, matrices, list(STEPS)[step], query, reading.unknown, reading.note
    )
    return [figure_json(figure) for figure in drawn]


def date_figure(positions: dict, controls: list[dict], reader: sv.PageFunction) -> list[dict]:
    reading = reader.read(positions["date"])
    drawn = sv.plots.typed_translation(
        reading.words, reading.results, reader.vocabulary, reader.facts,
        value(positions, controls, "language"), reading.unknown, reading.note,
    )  # fmt: skip
    return [figure_json(drawn)]


def judges_figures(positions: dict, controls: list[dict], reader: sv.PageFunction) -> list[dict]:
    reading = reader.read(positions["sentence"])
    n = positions["n"] + 1
    drawn = sv.plots.judged_sentence(
        reading.words, reading.results, n, reader.facts["judges"], tuple(reader.facts["pair"]),
        reading.unknown, reading.note,
    )  # fmt: skip
    return [figure_json(figure) for figure in drawn]


COUNTED = {"compareBags": bag_figure}
READ = {
    "attentionSteps": steps_figures, "judgedSentence": judges_figures, "typedDate": date_figure,
}  # fmt: skip
COMPUTED = [f for f in figures() if f.packed.get("function") in COUNTED]
TYPED = [f for f in figures() if f.packed.get("vocabulary")]
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
    assert set(front.evaluate("Object.keys(front.pageFunctions)")) == COUNTED.keys() | READ.keys()
    used = {f.packed["function"] for f in figures() if f.packed.get("function")}
    assert used == {f.packed["function"] for f in COMPUTED + TYPED}


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
    base = [figure_json(sv.plots.bags(Counter(), Counter()))]
    drawn = front.evaluate(
        "([base, cases, controls]) => cases.map((positions) => "
        "front.pageFunctions.compareBags(base, positions, controls)[0])",
        [json.loads(json.dumps(base)), cases, controls],
    )
    for case, figure in zip(cases, drawn):
        assert [figure] == numbers(bag_figure(case, controls)), case
    assert front.evaluate("window.hostile") is None


@pytest.mark.parametrize("typed", COMPUTED, ids=str)
def test_what_a_reader_types_is_drawn_alike(typed, visit):
    reader = visit(typed.page)
    reader.draw(typed.name)
    twin = COUNTED[typed.packed["function"]]
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
        (wanted,) = numbers(twin(positions, typed.controls))
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


# What an exported function reads


def test_numbers_are_written_and_rounded_alike(front):
    chance = np.random.default_rng(0)
    cases = [k / 8 for k in range(-40, 41)] + [0.5, 1.5, 2.5, 12.5, 2.675, 1.005, 99.5, 0.285]
    cases += chance.normal(size=200).tolist() + chance.random(200).astype(np.float32).tolist()
    cases = [case for case in cases if case >= 0 or case < -0.5]  # -0 is 0 to JavaScript
    for digits in (0, 1, 2):
        drawn = front.evaluate(
            "([cases, digits]) => cases.map((v) => front.fixed(v, digits))", [cases, digits]
        )
        assert drawn == [f"{case:.{digits}f}" for case in cases]
    drawn = front.evaluate("(cases) => cases.map((v) => front.rint(v))", cases)
    assert drawn == np.rint(cases).tolist()


VOCABULARY = ["[padding]", "[unknown]", "the", "Word", "word", "İstanbul", "x", "ΑΣ", "e\u0301"]


@pytest.mark.parametrize("unknown", [0, 1])
def test_a_text_is_read_alike(front, unknown):
    texts = sentences()
    reader = sv.PageFunction(
        "none", lambda tokens: {}, vocabulary=VOCABULARY, length=7, unknown=unknown
    )
    drawn = front.evaluate(
        """([packed, texts]) => { const read = front.openVocabulary(packed);
          const plain = (tokens) => tokens && [...tokens].map(Number);
          return texts.map(read).map((r) => ({ ...r, tokens: plain(r.tokens) }));
        }""",
        [{"vocabulary": VOCABULARY, "length": 7, "unknown": unknown}, texts],
    )
    for text, found in zip(texts, drawn):
        reading, (tokens,) = reader.read(text), reader.tokens(text).tolist()
        assert found["tokens"] == (tokens if any(tokens) else None), text
        assert (tuple(found["words"]), tuple(found["unknown"])) == (reading.words, reading.unknown)
        assert found["note"] == reading.note, text


def random_results(name: str, reader: sv.PageFunction, tokens: torch.Tensor) -> dict:
    """Results of the right shapes for some tokens: hard cases of rounding among them."""
    chance = np.random.default_rng(tokens.numpy().sum())
    length = reader.length
    if name == "attentionSteps":
        shapes = {key: (4, length, length if kind == "word" else 3)
                  for key, (_, kind) in STEPS.items()}  # fmt: skip
        found = {key: chance.normal(size=shape) for key, shape in shapes.items()}
        found["weights"] = chance.integers(0, 9, (4, length, length)) / 8
    elif name == "judgedSentence":
        found = {"evidence": chance.integers(-9, 10, (3, length)) / 8,
                 "answers": chance.integers(0, 9, 4) / 8}  # fmt: skip
    else:
        shape = (6, 9, length)
        found = {
            "written": chance.choice(len(reader.vocabulary), shape[:2]),
            "weights": chance.integers(0, 9, shape) / 8, "entropy": chance.random(shape[:2]),
        }  # fmt: skip
        found["written"][chance.random(shape[:2]) < 0.15] = 1
        # In Japanese, where the third of March is 3 and 3, and their places tell them apart.
        date = ("2003", "年", "3", "月", "3", "日", "[end]")
        row = [reader.vocabulary.index(word) for word in date]
        found["written"][LANGUAGES.index("Japanese"), : len(row)] = row
    return {
        key: torch.tensor(array.astype(np.int32 if key == "written" else np.float32))
        for key, array in found.items()
    }


LANGUAGES = list(sv.tasks.Dates(1).targets)
READERS = {
    "attentionSteps": (
        {"vocabulary": [*VOCABULARY, "a", "b"], "length": 20, "unknown": 1},
        [{"name": "sentence", "kind": "text"}, {"name": "step", "values": [1, 2, 3, 4, 5, 6, 7]},
         {"name": "query", "values": list(range(1, 21))}, {"name": "head", "values": list("1234")}],
        ["the word a b the word a b x", "the", " ".join(["a b"] * 12)],
    ),
    "judgedSentence": (
        {"vocabulary": [*VOCABULARY, "a", "b"], "length": 20, "unknown": 1,
         "facts": {"judges": {"Bag": "bag", "2-grams": "ngrams", "3-grams": "ngrams",
                              "RNN": "rnn"}, "pair": ["the", "a"]}},
        [{"name": "sentence", "kind": "text"}, {"name": "n", "values": ["1", "2", "3"]}],
        ["the word a b", "a the word", "the", "the the a", "x y", " ".join(["the b"] * 12)],
    ),
    "typedDate": (
        {"vocabulary": list(sv.tasks.Dates(1).vocabulary), "length": 12, "unknown": 0,
         "facts": sv.tasks.date_tables(LANGUAGES)},
        [{"name": "date", "kind": "text"}, {"name": "language", "values": LANGUAGES}],
        ["Tuesday 5 March 2024", "march 5, 2024", "3 march 2003 3 3", "mardi 5 mars 1999",
         "mars", "constructor 5 __proto__", "may may may may may may may may may may may may 1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_what_a_function_makes_of_a_text_is_drawn_alike(front, name):
    given, controls, texts = READERS[name]
    reader = sv.PageFunction(name, lambda t: random_results(name, reader, t), **given)
    chance = random.Random(3)
    cases = [
        {c["name"]: text if c.get("kind") == "text" else chance.randrange(len(c["values"]))
         for c in controls}
        for text in texts * 12 + sentences()
    ]  # fmt: skip
    start = {c["name"]: texts[0] if c.get("kind") == "text" else 0 for c in controls}
    base = json.loads(json.dumps(numbers(READ[name](start, controls, reader))))
    text_of = controls[0]["name"]
    results = [
        {key: [array.flatten().tolist(), list(array.shape)] for key, array in
         reader.read(case[text_of]).results.items()} for case in cases
    ]  # fmt: skip
    drawn = front.evaluate(
        """([name, packed, base, controls, cases, results]) => {
          const read = front.openVocabulary(packed);
          const typed = (found) => Object.fromEntries(Object.entries(found).map(([k, [d, dims]]) =>
            [k, { data: k === "written" ? Int32Array.from(d) : Float32Array.from(d), dims }]));
          return cases.map((positions, i) => {
            const reading = { ...read(positions[controls[0].name]), results: typed(results[i]),
                              facts: packed.facts, vocabulary: packed.vocabulary };
            return front.pageFunctions[name](base, positions, controls, reading);
          });
        }""",
        [name, given, base, controls, cases, results],
    )
    for case, figure in zip(cases, drawn):
        wanted = json.loads(json.dumps(numbers(READ[name](case, controls, reader))))
        assert figure == wanted, case
    assert front.evaluate("window.hostile") is None


def exported(packed: dict) -> sv.PageFunction:
    """The function of a page, run by onnxruntime in Python from the very file the page reads."""
    import onnxruntime

    ((name, file),) = packed["files"].items()
    text = (SITE / "_static" / "seqviz" / file["source"]).read_text(encoding="utf-8")
    deflated = json.loads(text.removeprefix(f"seqvizGrid({json.dumps(name)},")[:-2])["deflated"]
    session = onnxruntime.InferenceSession(zlib.decompress(base64.b64decode(deflated), -15))
    names = [output.name for output in session.get_outputs()]

    def run(tokens: torch.Tensor) -> dict[str, torch.Tensor]:
        found = session.run(None, {"tokens": tokens.numpy()})
        return {name: torch.tensor(array) for name, array in zip(names, found)}

    facts = {key: packed[key] for key in ("vocabulary", "length", "unknown", "facts")}
    return sv.PageFunction(packed["function"], run, **facts)


def close(shown: list, wanted: list, within: float) -> bool:
    a, b = np.array(shown, dtype=float), np.array(wanted, dtype=float)
    return a.shape == b.shape and bool(
        (np.abs(a - b) <= within * max(1, np.abs(b).max(initial=0))).all()
    )


@pytest.mark.parametrize("file", [False, True], ids=["server", "file"])
@pytest.mark.parametrize("typed", TYPED, ids=str)
def test_what_a_reader_types_is_read_by_the_exported_function(typed, file, visit):
    reader = visit(typed.page, file=file)
    reader.draw(typed.name)
    twin = READ[typed.packed["function"]]
    own = exported(typed.packed)
    box = reader.figure(typed.name).locator("input[type=text]")
    known = [word for word in own.vocabulary if word.isalpha()]
    ordinary = [" ".join(known[10 * i : 10 * i + n]) for i, n in enumerate((1, 3, 9, 40))]
    dates = ["Tuesday 5 March 2024", "March 5, 2024", "Saturday 31 december 2050"]
    limit = next(c["limit"] for c in typed.controls if c["kind"] == "text")
    texts = [t[:limit] for t in ordinary + dates + SENTENCES if not set(t[:limit]) & set("\n\r")]
    for text in texts[:12] if file else texts:
        box.fill(text)
        shown = json.loads(reader.shown(typed.name))
        positions = reader.positions(typed.name)
        assert text in positions.values()
        wanted = numbers(twin(positions, typed.controls, own))
        assert len(shown) == len(wanted)
        for (data, layout), figure in zip(shown, wanted):
            for trace, expected in zip(data, figure["data"]):
                # A percent may be rounded the other way.
                within = 0.011 if typed.packed["function"] == "typedDate" else 1e-4
                for key in {"x", "y", "z"} & expected.keys():
                    assert close(trace[key], expected[key], within), (text, key)
            for axis in ("xaxis", "yaxis"):
                assert layout[axis].get("ticktext") == figure["layout"][axis].get("ticktext"), text
            said = [re.sub(r"-?[\d.]+", "#", part["meta"]["description"])
                    for part in (layout, figure["layout"])]  # fmt: skip
            assert said[0] == said[1], text
        reading = own.read(text)
        if any(reading.unknown):
            assert "Not in the model's vocabulary" in shown[0][1]["meta"]["description"]
            labels = [label for axis in ("xaxis", "yaxis")
                      for label in shown[0][1][axis].get("ticktext") or []]  # fmt: skip
            if len(reading.words) > 1:  # one word has no 2-gram
                assert any(label.startswith("? ") for label in labels), text
    assert reader.page.evaluate("window.hostile") is None
    assert reader.figure(typed.name).locator("img, script, iframe").count() == 0
    box.fill("")
    box.focus()
    reader.page.keyboard.insert_text("y" * 10_000)
    assert box.input_value() == "y" * limit


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
