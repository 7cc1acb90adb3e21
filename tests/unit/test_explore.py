import base64
import json
import math
import sys
import types

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jupyter_client.session import json_packer

import seqviz as sv
from seqviz.explore import Choice, Explorable, GridError, Slider, Text, Toggle, explore, widget
from seqviz.explore.controls import TEXT_LIMIT
from seqviz.explore.explorable import BOOK_VARIABLE, EXPLORABLE_MIME
from seqviz.explore.grid import _slot, pack, points, unpack
from seqviz.explore.widget import STATIC, ExplorableWidget

NAN, INF = math.nan, math.inf
TWO = {"x": Slider([1, 2])}


def figure(y=(1, 2), **layout):
    return go.Figure(go.Scatter(y=list(y)), layout=layout)


def one_figure(x=1):
    return figure([x, x + 1])


def one_sentence(caught):
    message = str(caught.value)
    assert "\n" not in message and message.endswith(".") and len(message) < 300, message


# Controls


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Slider([1, NAN]), "must be a finite number, not nan"),
        (lambda: Slider([1, INF]), "must be a finite number, not inf"),
        (lambda: Slider([1, "2"]), "must be a finite number, not '2'"),
        (lambda: Slider([False, True]), "must be a finite number, not False"),
        (lambda: Slider([1, 10**400]), "must be a finite number, not 1000"),
        (lambda: Slider("12"), "values of a slider must be a list, not '12'"),
        (lambda: Slider(5), "values of a slider must be a list, not 5"),
        (lambda: Slider([1]), "at least two values"),
        (lambda: Slider([2, 1]), "each larger than the one before"),
        (lambda: Slider([1, 1]), "each larger than the one before"),
        (lambda: Slider([1, 2], 1.5), "starts at one of its values"),
        (lambda: Slider([1, 2], NAN), "start must be a finite number, not nan"),
        (lambda: Slider([1, 2], "1"), "start must be a finite number, not '1'"),
        (lambda: Slider([1, 2], True), "start must be a finite number, not True"),
        (lambda: Slider([1, 2], scale="logarithmic"), '"linear" or "log", not \'logarithmic\''),
        (lambda: Slider([0, 1], scale="log"), "needs values above zero"),
        (lambda: Slider([1, 2]).at(1.5), "between 0 and 1, not 1.5"),
        (lambda: Slider([1, 2]).at(-0.1), "between 0 and 1, not -0.1"),
        (lambda: Slider([1, 2]).at(NAN), "position must be a finite number, not nan"),
        (lambda: Slider([1, 2]).at(True), "position must be a finite number, not True"),
        (lambda: Slider([1, 2]).at(None), "position must be a finite number, not None"),
        (lambda: Choice(["a"]), "at least two options"),
        (lambda: Choice(["a", "a"]), "a label of its own"),
        (lambda: Choice(["a", ""]), "strings that are not empty"),
        (lambda: Choice([1, 2]), "strings that are not empty"),
        (lambda: Choice([["a"], ["b"]]), "strings that are not empty"),
        (lambda: Choice("ab"), "options of a choice must be a list, not 'ab'"),
        (lambda: Choice(None), "options of a choice must be a list, not None"),
        (lambda: Choice(["a", "b"], "c"), "starts at one of ['a', 'b'], not 'c'"),
        (lambda: Choice({"a": 1, "b": 2}, 1), "starts at one of ['a', 'b'], not 1"),
        (lambda: Choice(["a", "b"]).at(2), "one of 0 to 1, not 2"),
        (lambda: Choice(["a", "b"]).at(-1), "one of 0 to 1, not -1"),
        (lambda: Choice(["a", "b"]).at(0.5), "one of 0 to 1, not 0.5"),
        (lambda: Choice(["a", "b"]).at("a"), "one of 0 to 1, not 'a'"),
        (lambda: Choice(["a", "b"]).at(True), "one of 0 to 1, not True"),
        (lambda: Toggle("yes"), "True or False, not 'yes'"),
        (lambda: Toggle(1), "True or False, not 1"),
        (lambda: Toggle().at(2), "0 or 1, not 2"),
        (lambda: Toggle().at("on"), "0 or 1, not 'on'"),
        (lambda: Text(5), "takes text, not 5"),
        (lambda: Text("x" * 201), "at most 200 characters, not 201"),
        (lambda: Text().at("x" * 10_000), "at most 200 characters, not 10000"),
        (lambda: Text().at(np.zeros((40, 40))), "takes text, not array("),
    ],
)
def test_a_control_answers_bad_input_in_one_sentence(make, message):
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)
    one_sentence(caught)


def test_a_slider_gives_its_values_and_those_between():
    linear, log = Slider([0, 0.5, 2]), Slider([1, 100, 10_000.0], 100, scale="log")
    assert [linear.at(p) for p in (0, 0.5, 1, 1.5, 2)] == [0, 0.25, 0.5, 1.25, 2]
    assert [log.at(p) for p in (0, 0.5, 1, 1.5, 2)] == [1, 10, 100, 1000, 10_000]
    assert (linear.start, log.start) == (0, 1)


def test_whole_numbers_stay_whole():
    slider = Slider([1, 2, 5])
    between = [slider.at(p / 10) for p in range(21)]
    assert all(type(value) is int for value in between) and between == sorted(between)
    # Halves go up, as in the page's Math.round, or the kernel would draw what is not shown.
    assert Slider([2, 3]).at(0.5) == 3 and Slider([3, 4]).at(0.5) == 4


def test_values_from_numpy_can_be_sent_to_a_page():
    specs = [Slider(np.arange(3)).spec("a"), Slider(np.linspace(0, 1, 3)).spec("b")]
    assert [spec["values"] for spec in json.loads(json.dumps(specs))] == [[0, 1, 2], [0, 0.5, 1]]
    assert [spec["whole"] for spec in specs] == [True, False]


def test_a_choice_maps_labels_to_any_value():
    thing = object()
    choice = Choice({"one": 1, "thing": thing}, "thing", label="Which")
    assert (choice.at(0), choice.at(1)) == (1, thing)
    assert choice.spec("x") == {
        "kind": "choice", "name": "x", "label": "Which", "values": ["one", "thing"], "start": 1,
    }  # fmt: skip


def test_a_toggle_gives_booleans_and_a_text_its_text():
    assert [Toggle().at(p) for p in (0, 1)] == [False, True]
    assert Toggle(True).start == 1
    hostile = "</script>\u202e" + "x" * (TEXT_LIMIT - 10)
    assert Text(hostile).at(hostile) == hostile


# Explore


def fails(x):
    raise ValueError("first line\n  and a second")


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"name": "Two Words"}, ValueError, "lower-case letters, digits and hyphens"),
        ({"name": ""}, ValueError, "not ''"),
        ({"name": "x\n"}, ValueError, "lower-case letters"),
        ({"name": 'x"><script>'}, ValueError, "lower-case letters"),
        ({"name": None}, ValueError, "not None"),
        ({"caption": " "}, ValueError, "caption must be a text"),
        ({"caption": 5}, ValueError, "caption must be a text"),
        ({"x": 5}, TypeError, "x must be a Slider, Choice, Toggle or Text, not int"),
        ({"y": Toggle()}, TypeError, "The figure function takes x, but the controls are x, y"),
        ({"figure_for": lambda: figure()}, TypeError, "takes no argument, but the controls are x"),
        ({"figure_for": lambda x, z: figure()}, TypeError, "missing a required argument: 'z'"),
        ({"figure_for": max}, TypeError, "a Python function"),
        ({"figure_for": 5}, TypeError, "a function that returns a plotly figure, not int"),
        ({"figure_for": figure()}, ValueError, "A finished figure has no controls"),
        ({"figure_for": lambda x: 5}, TypeError, "must return a plotly figure, or a list of"),
        ({"figure_for": lambda x: None}, TypeError, "not NoneType"),
        ({"figure_for": lambda x: []}, TypeError, "an empty list of figures"),
        ({"figure_for": lambda x: [figure(), "b"]}, TypeError, "not str"),
        ({"x": Text()}, ValueError, "needs page_function"),
    ],
)
def test_explore_answers_bad_input_in_one_sentence(arguments, error, message):
    good = {"figure_for": one_figure, "name": "one", "caption": "One.", "x": Slider([1, 2])}
    with pytest.raises(error) as caught:
        explore(**{**good, **arguments})
    assert message in str(caught.value)
    one_sentence(caught)


def test_positions_that_do_not_fit_the_controls_are_answered():
    explorable = explore(one_figure, name="one", caption="One.", **TWO)
    for positions, message in (({}, "none"), ({"x": 0, "y": 0}, "x, y"), ({"z": 0}, "z")):
        with pytest.raises(ValueError, match=f"The controls are x, .* for {message}") as caught:
            explorable.figures(**positions)
        one_sentence(caught)


def test_a_function_that_fails_says_so_in_the_cell_that_made_it():
    with pytest.raises(ValueError, match="first line"):
        explore(fails, name="bad", caption="Bad.", **TWO)


# Grids


def at_two(odd, even=figure):
    """A figure function that is ordinary at x = 1 and odd at x = 2."""
    return lambda x: odd() if x == 2 else even()


def raising():
    raise RuntimeError("no luck\nand more of it")


def two(**annotation):
    return figure(annotations=[{"text": "a"}, {"text": "b"}])


@pytest.mark.parametrize(
    "figure_for, error, message",
    [
        (at_two(raising), GridError, "failed at x=2: RuntimeError: no luck"),
        (at_two(lambda: figure([1, 2], width="wide")), GridError, "at x=2: ValueError: Invalid"),
        (at_two(lambda: None), TypeError, "not NoneType at x=2."),
        (at_two(list), TypeError, "an empty list of figures at x=2."),
        (at_two(lambda: [figure(), 7]), TypeError, "not int at x=2."),
        (at_two(lambda: [figure(), figure()]), GridError, "but at x=2 there are ['scatter']"),
        (at_two(go.Figure), GridError, "has ['scatter'], but at x=2 there are []"),
        (at_two(lambda: go.Figure(go.Bar(y=[1, 2]))), GridError, "there are ['bar']"),
        (at_two(lambda: figure([1, NAN])), GridError, "not finite in data.0.y at x=2."),
        (at_two(lambda: go.Figure(go.Scatter(y=np.array([1, INF])))), GridError, "not finite"),
        (at_two(lambda: figure(width=INF)), GridError, "not finite in layout.width at x=2."),
        (lambda x: figure([x, NAN]), GridError, "not finite in data.0.y at x=1."),
        (at_two(two), GridError, "layout.annotations has another number of entries at x=2"),
        (
            at_two(two, lambda: figure(annotations=[{"text": "a"}])),
            GridError,
            "layout.annotations has another number of entries at x=2",
        ),
        (
            at_two(
                lambda: go.Figure(go.Heatmap(z=np.ones(3))),
                lambda: go.Figure(go.Heatmap(z=np.ones((2, 2)))),
            ),
            GridError,
            "data.0.z has dimension 2 at the first point and 1 at x=2.",
        ),
        (at_two(lambda: figure(meta="a"), lambda: figure(meta={"b": 1})), GridError, "plain value"),
        (lambda x: figure(), GridError, "The control 'x' changes nothing"),
    ],
)
def test_a_grid_that_cannot_be_shown_is_answered_in_one_sentence(figure_for, error, message):
    with pytest.raises(error) as caught:
        pack(figure_for, TWO)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "idle", [Slider([3, 4, 5]), Choice(["a", "b"]), Toggle()], ids=lambda c: type(c).__name__
)
def test_each_control_must_change_something(idle):
    def grid(**controls):
        return pack(lambda x, idle: figure([x, 1]), controls)

    for controls in ({"x": Slider([1, 2]), "idle": idle}, {"idle": idle, "x": Slider([1, 2])}):
        with pytest.raises(GridError, match="The control 'idle' changes nothing") as caught:
            grid(**controls)
        one_sentence(caught)


def test_a_control_that_moves_the_figure_at_one_point_only_is_enough():
    controls = {"x": Slider([1, 2, 3]), "on": Toggle()}
    pack(lambda x, on: figure([x == 3 and on, 0]), controls)


def test_an_error_names_the_point_by_its_labels():
    controls = {"x": Choice({"zeros": np.zeros((9, 9)), "ones": np.ones((9, 9))}), "on": Toggle()}

    def figure_for(x, on):
        return raising() if x.any() and on else figure([x.sum(), on])

    with pytest.raises(GridError, match="failed at x='ones', on='on': RuntimeError: no luck"):
        pack(figure_for, controls)


def close(a, b):
    """Equal, numbers to 1e-6 of their size; an array is a list and no part is an empty part."""
    if isinstance(a, dict):
        a, b = ({k: v for k, v in d.items() if v != {}} for d in (a, b))
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, (int, float)) and not isinstance(a, bool):
        return math.isclose(a, b, rel_tol=1e-6, abs_tol=0)
    return type(a) is type(b) and a == b


def opened(node):
    """A figure's JSON with every array as a list."""
    if isinstance(node, dict) and "bdata" in node:
        values = np.frombuffer(base64.b64decode(node["bdata"]), node["dtype"])
        shape = [int(n) for n in str(node.get("shape", len(values))).split(",")]
        return values.reshape(shape).tolist()
    if isinstance(node, dict):
        return {k: opened(v) for k, v in node.items()}
    if isinstance(node, (list, tuple)):
        return [opened(v) for v in node]
    return node.tolist() if isinstance(node, (np.ndarray, np.generic)) else node


FLOATS = st.one_of(
    st.floats(-1e300, 1e300, allow_subnormal=False).filter(lambda v: v == 0 or abs(v) > 1e-300),
    st.floats(-1e3, 1e3, width=32),
    st.sampled_from([0.0, 1e-300, -1e-300, 1e-45, 1e-38, 1e38, 1e39, 5e-324]),
)
WHOLE = st.one_of(st.integers(0, 255), st.integers(-(2**15), 2**15), st.integers(-(2**52), 2**52))
STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
MATRICES = st.integers(1, 3).flatmap(
    lambda n: st.lists(st.lists(FLOATS, min_size=n, max_size=n), min_size=1, max_size=3)
)


@st.composite
def figures_at_a_point(draw):
    """A scatter and a heatmap; their arrays have any length, and keys may be missing."""
    scatter = {"y": draw(st.lists(draw(st.sampled_from([FLOATS, WHOLE])), max_size=5))}
    if draw(st.booleans()):
        scatter["y"] = np.array(scatter["y"])
    if draw(st.booleans()):
        scatter["text"] = draw(st.lists(STRINGS, max_size=3))
    if draw(st.booleans()):
        scatter["name"] = draw(STRINGS)
    if draw(st.booleans()):
        scatter["line"] = {"width": draw(st.floats(0, 9))}
    heatmap = {"z": np.array(draw(MATRICES))}
    if draw(st.booleans()):
        heatmap["text"] = np.array([["a", draw(STRINGS)], ["b", "c"]], dtype=object)
    layout = {"height": draw(st.integers(10, 900))}
    if draw(st.booleans()):
        layout["meta"] = {"description": draw(STRINGS)}
    return [go.Figure(go.Scatter(scatter), layout), go.Figure(go.Heatmap(heatmap))]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(figures_at_a_point(), min_size=6, max_size=6))
def test_what_is_packed_can_be_unpacked(figures):
    controls = {"row": Slider([0, 1, 2]), "column": Choice({"0": 0, "1": 1})}
    for i, (scatter, _) in enumerate(figures):  # so that each control changes something
        scatter.layout.width = 100 + i
    packed = json.loads(json.dumps(pack(lambda row, column: figures[2 * row + column], controls)))
    for i, point in enumerate(points(controls)):
        found = opened(unpack(packed, list(point.values())))
        wanted = opened([f.to_plotly_json() for f in figures[i]])
        for spec in wanted:
            spec["layout"].pop("template", None)
        assert close(wanted, found), (wanted, found)


@pytest.mark.parametrize(
    "low", [1e-30, 1e-40, 1e-46, 1e-100, 1e-200, 1e-300, 5e-324], ids=lambda v: f"{v:g}"
)
def test_a_vanished_gradient_never_becomes_zero(low):
    packed = pack(lambda x: go.Figure(go.Scatter(y=np.array([x, x * low]))), TWO)
    for i, x in enumerate((1, 2)):
        value = opened(unpack(packed, [i]))[0]["data"][0]["y"][1]
        assert value != 0 and math.isclose(value, x * low, rel_tol=1e-6)


def test_arrays_are_packed_in_the_smallest_type_that_keeps_them():
    def dtype(*columns):
        packed = pack(lambda x: go.Figure(go.Scatter(y=np.array(columns[x - 1]))), TWO)
        return [slot["dtype"] for slot in packed["slots"]]

    assert dtype([0, 255], [1, 2]) == ["uint8"]
    assert dtype([0, 256], [1, 2]) == ["int16"]
    assert dtype([-1, 70_000], [1, 2]) == ["int32"]
    assert dtype([0.1, 0.2], [0.3, 1e30]) == ["float32"]
    assert dtype([0.1, 1e-46], [0.3, 1]) == ["float64"]


def test_what_does_not_change_is_stored_once():
    packed = pack(lambda x: figure([x, 1], title={"text": "the same"}), TWO)
    assert [slot["path"] for slot in packed["slots"]] == [[0, "data", 0, "y"]]
    assert json.dumps(packed).count("the same") == 1


@pytest.mark.parametrize("kind", ["number", "text"])
def test_a_grid_may_have_more_than_65535_distinct_values(kind):
    # Built by hand: to call a figure function so often would take a minute.
    count = 70_000
    values = [np.array([i]) if kind == "number" else str(i) for i in range(count)]
    slot = _slot((0, "layout", "height"), values)
    packed = {"figures": [{"data": [], "layout": {}}], "sizes": [count], "slots": [slot]}
    for i in (0, 65_535, 65_536, count - 1):
        assert unpack(packed, [i])[0]["layout"]["height"] == (i if kind == "number" else str(i))


# What is published and what is live


def shifted(gain, offset, cell, on):
    return figure([gain, offset], title={"text": cell}, showlegend=on)


def all_controls():
    return explore(
        shifted,
        name="shifted",
        caption="Two points.",
        gain=Slider([0.01, 1, 100], 1, scale="log"),
        offset=Slider([0, 10]),
        cell=Choice({"RNN": "rnn", "LSTM": "lstm"}),
        on=Toggle(),
    )


def test_the_build_publishes_the_whole_grid(monkeypatch):
    monkeypatch.setenv(BOOK_VARIABLE, "1")
    bundle = all_controls()._repr_mimebundle_()
    assert set(bundle) == {EXPLORABLE_MIME, "text/plain"}
    content = json.loads(json.dumps(bundle[EXPLORABLE_MIME], allow_nan=False))
    assert (content["name"], content["caption"]) == ("shifted", "Two points.")
    assert [c["name"] for c in content["controls"]] == ["gain", "offset", "cell", "on"]
    assert content["packed"]["sizes"] == [3, 2, 2, 2]
    (shown,) = opened(unpack(content["packed"], [2, 1, 0, 1]))
    assert shown["data"][0]["y"] == [100, 10] and shown["layout"]["title"]["text"] == "rnn"
    assert "template" not in shown["layout"]


def test_the_build_publishes_no_figure_that_fails_somewhere(monkeypatch):
    monkeypatch.setenv(BOOK_VARIABLE, "1")
    with pytest.raises(GridError, match="failed at x=2"):
        explore(at_two(raising), name="bad", caption="Bad.", **TWO)


def test_the_build_publishes_a_page_function_in_place_of_a_grid(monkeypatch):
    monkeypatch.setenv(BOOK_VARIABLE, "1")
    explorable = explore(
        lambda words: figure(np.array([len(words), 0]), title={"text": words}),
        name="words", caption="Words.", page_function="countWords", words=Text("a b"),
    )  # fmt: skip
    packed = json.loads(json.dumps(explorable._repr_mimebundle_()[EXPLORABLE_MIME]["packed"]))
    assert packed["function"] == "countWords"
    assert packed["figures"][0]["layout"]["title"]["text"] == "a b"


def test_a_finished_figure_is_published_too(monkeypatch):
    monkeypatch.setenv(BOOK_VARIABLE, "1")
    content = explore([figure(), figure([3])], name="still", caption="Still.")._repr_mimebundle_()
    assert len(unpack(content[EXPLORABLE_MIME]["packed"], [])) == 2


@pytest.fixture
def live():
    if not (STATIC / "widget.js").is_file():
        pytest.fail("The front-end files are not built: run `make front`.")

    def make(explorable: Explorable) -> ExplorableWidget:
        return ExplorableWidget(explorable)

    return make


def ask(view, number, **positions):
    view.request = {"number": number, "positions": positions}
    assert view.answer["number"] == number
    json_packer(view.answer)  # what goes to the browser
    return view.answer


def test_without_the_build_it_is_a_live_widget(live, monkeypatch):
    monkeypatch.delenv(BOOK_VARIABLE, raising=False)
    bundle = all_controls()._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data and EXPLORABLE_MIME not in data


def test_in_colab_a_figure_asks_for_the_manager_that_can_show_it(live, monkeypatch):
    # By this module anywidget knows Colab, whose own manager shows no widgets but Jupyter's.
    colab = types.ModuleType("google.colab.output")
    colab._widgets = types.SimpleNamespace(_installed_url=None)
    colab.enable_custom_widget_manager = lambda: setattr(colab._widgets, "_installed_url", "a.js")
    monkeypatch.setitem(sys.modules, "google.colab.output", colab)
    monkeypatch.delenv(BOOK_VARIABLE, raising=False)
    _, metadata = all_controls()._repr_mimebundle_()
    manager = metadata["application/vnd.jupyter.widget-view+json"]["colab"]
    assert manager == {"custom_widget_manager": {"url": "a.js"}}


def test_a_widget_without_its_front_end_says_what_to_run(monkeypatch, tmp_path):
    monkeypatch.setattr(widget, "STATIC", tmp_path)
    with pytest.raises(FileNotFoundError, match="is not built: run `make front`") as caught:
        ExplorableWidget(all_controls())
    one_sentence(caught)


def test_a_widget_begins_with_the_figure_at_the_start(live):
    view = live(all_controls())
    assert (view.answer["number"], view.answer["error"]) == (0, "")
    assert opened(view.answer["figures"])[0]["data"][0]["y"] == [1, 0]
    assert set(view.templates) == {"light", "dark"}


def test_each_request_is_answered_with_its_number_and_its_figures(live):
    view = live(all_controls())
    for number, (gain, offset, cell, on) in enumerate([(2, 1, 1, 1), (0, 0, 0, 0)], start=1):
        answer = ask(view, number, gain=gain, offset=offset, cell=cell, on=on)
        (shown,) = opened(answer["figures"])
        assert answer["error"] == ""
        assert shown["data"][0]["y"] == [[0.01, 1, 100][gain], [0, 10][offset]]
        assert shown["layout"]["title"]["text"] == ["rnn", "lstm"][cell]
        assert shown["layout"]["showlegend"] is bool(on)


def test_a_kernel_answers_between_the_values_of_a_slider(live):
    answer = ask(live(all_controls()), 1, gain=0.5, offset=0.3, cell=0, on=0)
    assert opened(answer["figures"])[0]["data"][0]["y"] == [0.1, 3]


def test_a_figure_that_fails_is_told_in_one_sentence_and_the_next_is_drawn(live):
    view = live(explore(at_two(raising), name="bad", caption="Bad.", **TWO))
    answer = ask(view, 1, x=1)
    assert answer == {"number": 1, "figures": [], "error": "RuntimeError: no luck"}
    answer = ask(view, 2, x=0)
    assert answer["error"] == "" and len(answer["figures"]) == 1


def test_an_interrupted_figure_is_answered(live):
    def interrupted():
        raise KeyboardInterrupt

    view = live(explore(at_two(interrupted), name="slow", caption="Slow.", **TWO))
    assert "interrupted: move a control" in ask(view, 1, x=1)["error"]
    assert ask(view, 2, x=0)["error"] == ""


@pytest.mark.parametrize(
    "positions, message",
    [
        ({"gain": 9, "offset": 0, "cell": 0, "on": 0}, "between 0 and 2, not 9"),
        ({"gain": None, "offset": 0, "cell": 0, "on": 0}, "finite number, not None"),
        ({"gain": 0, "offset": "1", "cell": 0, "on": 0}, "finite number, not '1'"),
        ({"gain": 0, "offset": 0, "cell": -1, "on": 0}, "one of 0 to 1, not -1"),
        ({"gain": 0, "offset": 0, "cell": 0, "on": "yes"}, "0 or 1, not 'yes'"),
        ({"gain": 0}, "but there are positions for gain."),
        ({}, "but there are positions for none."),
        ([1, 2], "a position for each control"),
        (None, "a position for each control"),
    ],
)
def test_bad_positions_from_the_front_end_are_an_error_not_a_crash(live, positions, message):
    view = live(all_controls())
    view.request = {"number": 1, "positions": positions}
    assert view.answer["number"] == 1 and view.answer["figures"] == []
    assert message in view.answer["error"] and "\n" not in view.answer["error"]
    assert ask(view, 2, gain=0, offset=0, cell=0, on=0)["error"] == ""


def test_a_live_figure_may_have_gaps_and_text_from_numpy(live):
    def gaps(x):
        text = np.array([["a", x], ["b", 2]], dtype=object)
        return go.Figure(go.Scatter(y=[math.nan, x], customdata=text, text=np.array(["a", "b"])))

    (shown,) = ask(live(explore(gaps, name="g", caption="G.", **TWO)), 1, x=1)["figures"]
    assert shown["data"][0]["y"] == [None, 2]
    assert shown["data"][0]["customdata"] == [["a", 2], ["b", 2]]


def test_plotly_is_sent_once_a_view_asks_for_it(live, monkeypatch):
    view, sent = live(all_controls()), []
    monkeypatch.setattr(view, "send", lambda *message: sent.append(message))
    view._on_message(view, "something else", [])
    view._on_message(view, "plotly", [])
    ((content, (code,)),) = sent
    assert content == {"kind": "plotly"} and b"Plotly" in code


def test_the_package_offers_what_a_notebook_needs():
    for name in ("explore", "Slider", "Choice", "Toggle", "Text", "Explorable", "GridError"):
        assert name in sv.__all__
