import base64
import math
import zlib

import numpy as np
import pytest
import torch

import seqviz as sv
from seqviz.explore.explorable import BOOK_VARIABLE
from seqviz.export import deflated, to_onnx

VOCABULARY = ("[padding]", "[unknown]", "The", "cat", "sat")


def double(tokens):
    return {"doubled": 2.0 * tokens[0].float(), "tokens_again": tokens + 0}


def made(**changes):
    given = {"vocabulary": VOCABULARY, "length": 4, "unknown": 1}
    return sv.PageFunction("twice", changes.pop("function", double), **{**given, **changes})


def run(graph, tokens):
    import onnxruntime

    session = onnxruntime.InferenceSession(graph)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"tokens": tokens.numpy()})))


def graph_of(packed):
    ((_, file),) = packed["files"].items()
    return zlib.decompress(base64.b64decode(file["deflated"]), -15)


def test_a_text_is_split_looked_up_and_padded():
    reader = made()
    assert reader.tokens("Cat, SAT!").tolist() == [[0, 0, 3, 4]]
    reading = reader.read("the zebra sat")
    assert reading.words == ("The", "zebra", "sat") and reading.unknown == (False, True, False)
    assert reading.note == "Not in the model's vocabulary: “\u2068zebra\u2069”."
    np.testing.assert_array_equal(reading.results["doubled"], [0, 4, 2, 8])
    turned = reader.read("\u202ecat\u2066 sat")
    assert turned.words == ("cat", "sat") and turned.unknown == (True, False)
    assert "“\u2068cat\u2069”" in turned.note
    # A special token cannot be typed, and no word is looked up as an attribute.
    assert reader.tokens("[unknown] padding __proto__").tolist() == [[0, 1, 1, 1]]


def test_a_long_text_is_read_as_far_as_the_model_reads():
    reading = made().read("cat " * 9)
    assert len(reading.words) == 4 and reading.unknown == (False,) * 4
    assert reading.note == "The model reads 4 words; the rest is left out."
    long = made().read("x" * 200)
    assert "“\u2068" + "x" * 23 + "…\u2069”" in long.note and long.words == ("x" * 200,)


@pytest.mark.parametrize("text", ["", "  .,! ", "zebra gnu"])
def test_where_nothing_is_left_to_read_the_function_is_not_called(text):
    reading = made(function=pytest.fail, unknown=0).read(text)
    assert reading.results == {}


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"function": 3}, TypeError, "function must be a function, not int"),
        ({"vocabulary": "words"}, TypeError, "vocabulary must be a list of words"),
        ({"vocabulary": [1]}, TypeError, "vocabulary must be a list of words"),
        ({"length": 0}, ValueError, "length must be at least 1"),
        ({"length": 2.5}, ValueError, "length must be a whole number, not 2.5"),
        ({"unknown": True}, ValueError, "unknown must be a whole number, not True"),
        ({"unknown": 5}, ValueError, "unknown a token of the vocabulary"),
    ],
)
def test_bad_input_gets_one_sentence(changes, error, sentence):
    with pytest.raises(error, match=sentence):
        made(**changes)
    with pytest.raises(ValueError, match="name must name a function"):
        sv.PageFunction("a b", double, vocabulary=VOCABULARY, length=4, unknown=1)


def figure_for(text):
    reading = made().read(text)
    fig = sv.plots.style.figure()
    fig.add_bar(y=reading.results.get("doubled", []))
    return sv.describe(fig, "Twice. " + reading.note)


def test_a_figure_takes_a_page_function_for_one_text():
    given = {"name": "typed", "caption": "Typed."}
    shown = sv.explore(figure_for, **given, page_function=made(), text=sv.Text("cat"))
    (fig,) = shown.figures(text="zebra")
    assert "zebra" in fig.layout.meta["description"]
    with pytest.raises(ValueError, match="reads one Text control, but there are 0"):
        sv.explore(lambda: None, **given, page_function=made())
    with pytest.raises(TypeError, match="the name of a function of the front end, not int"):
        sv.explore(figure_for, **given, page_function=3, text=sv.Text("cat"))


def test_in_a_kernel_the_same_control_calls_python():
    from seqviz.explore.widget import _answer

    shown = sv.explore(
        figure_for, name="typed", caption="Typed.", page_function=made(), text=sv.Text("cat")
    )
    answer = _answer(shown, {"number": 7, "positions": {"text": "the <b> sat"}})
    assert (answer["number"], answer["error"]) == (7, "")
    assert "“\u2068b\u2069”" in answer["figures"][0]["layout"]["meta"]["description"]
    answer = _answer(shown, {"number": 8, "positions": {"text": "x" * 201}})
    assert "at most 200 characters, not 201" in answer["error"]


def test_the_build_packs_the_graph_the_words_and_the_first_results(monkeypatch):
    monkeypatch.setenv(BOOK_VARIABLE, "1")
    shown = sv.explore(
        figure_for, name="typed", caption="Typed.", page_function=made(facts={"a": [1]}),
        text=sv.Text("the cat"),
    )  # fmt: skip
    (bundle,) = (v for k, v in shown._repr_mimebundle_().items() if k.endswith("+json"))
    packed = bundle["packed"]
    assert packed["function"] == "twice" and packed["vocabulary"] == list(VOCABULARY)
    assert (packed["length"], packed["unknown"], packed["text"]) == (4, 1, "the cat")
    assert packed["facts"] == {"a": [1]} and len(packed["figures"]) == 1
    first = packed["results"]["doubled"]
    raw = zlib.decompress(base64.b64decode(first["deflated"]), -15)
    assert np.frombuffer(raw, first["dtype"]).tolist() == [0, 0, 4, 6] and first["shape"] == [4]
    assert packed["results"]["tokens_again"]["dtype"] == "int32"
    found = run(graph_of(packed), made().tokens("sat zebra"))
    np.testing.assert_array_equal(found["doubled"], [0, 0, 8, 2])


def test_weights_lie_in_a_graph_once():
    random = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    weight = torch.nn.Parameter(random / 16)

    def often(x):
        for _ in range(20):
            x = torch.tanh(x @ weight.T)  # a constant of its own at each step, if nobody looks
        return {"y": x}

    with torch.no_grad():
        x = torch.randn(2, 64, generator=torch.Generator().manual_seed(1))
        graph = to_onnx(often, {"x": x})
        assert len(graph) < 2 * 64 * 64 * 4
        assert len(deflated(graph)) < 3 * 64 * 64 * 4
        import onnxruntime

        (y,) = onnxruntime.InferenceSession(graph).run(None, {"x": x.numpy()})
        np.testing.assert_allclose(y, often(x)["y"].numpy(), atol=1e-5)


def test_equal_values_that_are_written_into_stay_apart():
    places = torch.tensor([[0, 1, 1]])

    def counts(x):
        first, second = torch.zeros(1, 4), torch.zeros(1, 4)
        first.scatter_add_(1, places, x)
        second.scatter_add_(1, places + 2, x)
        second.add_(1.0)
        return {"first": first, "second": second}

    import onnxruntime

    x = torch.tensor([[1.0, 2.0, 4.0]])
    found = onnxruntime.InferenceSession(to_onnx(counts, {"x": x})).run(None, {"x": x.numpy()})
    np.testing.assert_array_equal(found, [[[1, 6, 0, 0]], [[1, 1, 2, 7]]])

    def part(x):
        y = x + 1
        y[:, 0].add_(1.0)
        return {"y": y}

    def seen(x):
        y = x + 1
        first = y[0]
        y.add_(1.0)
        return {"first": first * 1}

    def given(x):
        y = x + 1
        return {"y": torch.mul(x, 2, out=y)}

    for function, what in ((part, "a part of a"), (seen, "a part of a"), (given, "a given")):
        with pytest.raises(ValueError, match=f"writes into {what} tensor"):
            to_onnx(function, {"x": x})


# The functions of the chapters, with models that know nothing yet


def order_function():
    model = sv.models.Transformer(30, 16, 2, heads=4, layers=2, max_length=10, seed=0)

    def products(tokens):
        x, attention = model.embedded(tokens), model.layers[0].self_attn
        query, key, value = (attention.split(x, part)[0] for part in range(3))
        scaled = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        weights = torch.softmax(scaled.masked_fill(tokens == 0, -math.inf), dim=-1)
        return {"weights": weights, "output": weights @ value}

    words = ["[padding]", "[unknown]", *(f"w{i}" for i in range(28))]
    return model, sv.PageFunction(
        "attentionSteps", products, vocabulary=words, length=10, unknown=1
    )


def test_exported_attention_is_that_of_the_model():
    model, reader = order_function()
    graph = graph_of(reader.packed("w1 w2"))
    for text in ("w3", "w1 w5 zebra w5", " ".join(f"w{i}" for i in range(10))):
        tokens = reader.tokens(text)
        found, eager = run(graph, tokens), reader.read(text).results
        for name in eager:
            np.testing.assert_allclose(found[name], eager[name], atol=1e-6)
        whole = model(tokens).attention[0, 0].detach()
        count = len(text.split())
        np.testing.assert_allclose(
            found["weights"][:, -count:], whole[:, -count:].numpy(), atol=1e-6
        )
        assert (found["weights"][:, -count:, : 10 - count] == 0).all()


def test_exported_translation_is_that_of_the_model():
    task = sv.tasks.Dates(1)
    model = sv.models.Seq2Seq(task.input_size, 16, seed=0)
    starts = torch.tensor([task.vocabulary.index(f"[{name}]") for name in task.targets])

    def write_all(source):
        written, weights = model.translate(source.expand(6, -1), starts, length=9)
        weights = weights[:, 0, 0]
        return {"written": written, "weights": weights, "entropy": sv.probes.entropy(weights)}

    reader = sv.PageFunction(
        "typedDate", write_all, vocabulary=task.vocabulary, length=6, unknown=0
    )
    graph = graph_of(reader.packed("5 March 2024"))
    for text in ("May", "Tuesday 5 March 1999", "Sunday 31 December 2049 and 1"):
        found, eager = run(graph, reader.tokens(text)), reader.read(text).results
        np.testing.assert_array_equal(found["written"], eager["written"])
        for name in ("weights", "entropy"):
            np.testing.assert_allclose(found[name], eager[name], atol=1e-5)
    # Padding at the left leaves no trace, and neither does an unknown word.
    known = reader.tokens("Tuesday 5 March")[:, -3:].expand(6, -1)
    bare, _ = model.translate(known, starts, length=9)
    np.testing.assert_array_equal(reader.read("Tuesday 5 March").results["written"], bare)
    np.testing.assert_array_equal(reader.read("Tuesday 5 March 1999").results["written"], bare)


# Pictures of what was typed


def said(fig):
    return fig.layout.meta["description"].replace("\u00a0", " ")


def steps(count, length=6, width=3):
    rng = np.random.default_rng(count)
    kinds = {name: kind for name, (_, kind) in sv.plots.attention.STEPS.items()}
    return {
        name: rng.random((length, length if kind == "word" else width)).astype(np.float32)
        for name, kind in kinds.items()
    }


def test_a_step_cuts_the_padding_away_and_marks_unknown_words():
    matrices = steps(2)
    whole, row = sv.plots.attention_step(
        ["cat", "zebra"], matrices, "weights", 4, [False, True], "A note."
    )
    np.testing.assert_array_equal(whole.data[0].z, matrices["weights"][-2:, -2:])
    np.testing.assert_array_equal(row.data[0].y, matrices["weights"][-1, -2:])
    assert (
        whole.layout.yaxis.ticktext[1].startswith("? ") and "zebra" in row.layout.yaxis.title.text
    )
    assert not whole.layout.yaxis.ticktext[0].startswith("? ")
    assert "There is no word 5: the last word looks. A note." in said(whole)
    assert whole.layout.shapes[0].y1 == 1.5


@pytest.mark.parametrize("step", list(sv.plots.attention.STEPS))
def test_a_step_of_no_words_asks_for_some(step):
    whole, row = sv.plots.attention_step([], {}, step, 3)
    assert len(whole.data[0].z) == len(row.data[0].x) == len(row.data[0].y) == 0
    assert "type a sentence" in said(whole)


TASK = sv.tasks.Dates(1)
TABLES = sv.tasks.date_tables(TASK.targets)


def translation(text, language, written, **given):
    words = text.split()
    at = TASK.targets.index(language)
    tokens = np.ones((6, 9), dtype=np.int64)
    tokens[at, : len(written)] = [TASK.vocabulary.index(word) for word in written]
    results = {
        "written": tokens, "weights": np.full((6, 9, 12), 1 / 12), "entropy": np.ones((6, 9))
    }  # fmt: skip
    return sv.plots.typed_translation(words, results, TASK.vocabulary, TABLES, language, **given)


@pytest.mark.parametrize("language", TASK.targets)
def test_every_part_of_a_right_translation_is_outlined(language):
    import datetime

    for date in (datetime.date(2024, 3, 3), datetime.date(2031, 11, 20)):
        source, target = (sv.tasks.write_dates([date], name) for name in ("English", language))
        fig = translation(" ".join(source.words), language, target.words)
        right = [j for j in target.right(source) if j >= 0]
        assert list(fig.data[1].x) == right
        assert "Translated: 4 of 4 parts" in said(fig) and "Made up" not in said(fig)
        assert "✗" not in "".join(fig.layout.yaxis.ticktext)


def test_what_is_lost_and_what_is_made_up_is_said():
    fig = translation("5 March 2024", "French", ["vendredi", "5", "mars", "2024"])
    sentence = "Translated: 3 of 3 parts of a date. Made up, or said again: “\u2068vendredi\u2069”."
    assert sentence in said(fig)
    assert [text[0] for text in fig.layout.yaxis.ticktext].count("✗") == 1
    fig = translation("Tuesday 5 March 1999", "French", ["mardi", "5", "5", "mars", "2023"],
                      unknown=[False] * 3 + [True], note="A note.")  # fmt: skip
    assert "3 of 3 parts" in said(fig)
    assert "Made up, or said again: “\u20685\u2069”, “\u20682023\u2069”." in said(fig)
    assert said(fig).endswith("A note.") and fig.layout.xaxis.ticktext[3].startswith("? ")
    fig = translation("Tuesday 5 March", "Turkish", ["2024"])
    lost = "Lost: “\u2068Tuesday\u2069”, “\u20685\u2069”, “\u2068March\u2069”."
    assert f"Translated: 0 of 3 parts of a date. {lost}" in said(fig)
    assert "No word is a part of a date" in said(translation("mars", "French", ["mars"]))
    nothing = sv.plots.typed_translation([], {}, TASK.vocabulary, TABLES, "French", note="N.")
    assert "type one, such as" in said(nothing) and said(nothing).endswith("N.")


JUDGES = {"Bag": "bag", "2-grams": "ngrams", "3-grams": "ngrams", "RNN": "rnn"}


def judged(text, n=1, **given):
    results = {
        "evidence": np.array([[9, 0, 1, -3, 2], [9, 9, 0, -2, 1], [9, 9, 9, 0, 0.5]]),
        "answers": np.array([0.25, 0.5, 0.75, 1.0]),
    }
    return sv.plots.judged_sentence(
        text.split(), results if text else {}, n, JUDGES, ("the", "a"), **given
    )


def test_a_judged_sentence_shows_its_evidence_and_who_is_right():
    bars, told = judged("x the y a", unknown=[True, False, False, False], note="A note.")
    assert list(bars.data[0].x) == [0, 1, -3, 2] and list(told.data[0].x) == [25, 50, 75, 100]
    assert [text[:2] == "? " for text in bars.layout.yaxis.ticktext] == [True] + [False] * 3
    assert said(bars) == "The weightiest word is “y”: 3.00 for “the” first. A note."
    assert said(told) == "Here “the” comes first. Right: Bag, 2-grams."
    bars, told = judged("a y the", 2)
    assert list(bars.data[0].x) == [-2, 1] and "2-gram is “a y”: 2.00 for “the” first" in said(bars)
    assert said(told) == "Here “a” comes first. Right: 3-grams, RNN."


def test_a_sentence_that_cannot_be_judged_says_what_is_missing():
    assert "too short for a 3-gram" in said(judged("the a", 3)[0])
    assert "There is no right answer" in said(judged("the a the")[1])
    assert "There is no right answer" in said(judged("the")[1])
    bars, told = judged("")
    assert len(bars.data[0].x) == len(told.data[0].x) == 0
    assert "type a sentence with “the” and “a”" in said(bars)
