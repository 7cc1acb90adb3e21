"""Every figure of every page, used as a reader uses it: by keyboard, by its address, in the dark.

The figures and their controls are found in the built pages; a new chapter is tested as it lands.
"""

import json
import re
from urllib.parse import quote

import pytest
from built_site import figures, numbers

from seqviz.explore.grid import unpack

NONSENSE = "<img src=x onerror=\"window.hostile='address'\">"
ODD = re.compile(r"\b(NaN|undefined|null|Infinity)\b|\[object ")
# Axes that say nothing: no title (plotly's placeholder is none), and ticks that are not words.
UNTITLED = r"""(p) => Object.entries(p._fullLayout).filter(([key, axis]) => {
  if (!/^[xy]axis\d*$/.test(key) || !axis.visible || axis.matches) return false;
  const title = (axis.title?.text ?? "").trim();
  const ticks = (axis.ticktext ?? axis._categories ?? []).map((t) => t.replace(/<[^>]*>/g, ""));
  return (!title || title === p._fullLayout._dfltTitle?.[key[0]])
    && !ticks.some((tick) => /\p{L}{2,}/u.test(tick));
}).map(([key]) => key)"""
WITH_CONTROLS = [f for f in figures() if f.controls]
TRAINED = [f for f in WITH_CONTROLS if "starts" in f.packed]
STILL = [f for f in WITH_CONTROLS if "starts" not in f.packed]
PLAYING = [f for f in figures() if any(c.get("play") for c in f.controls)]


def start(figure) -> dict:
    return {c["name"]: c["start"] for c in figure.controls}


def control_input(reader, figure, control):
    """The input of a control, as the keyboard reaches it: of a group of radios the checked one."""
    group = reader.figure(figure.name).locator(".sv-control").nth(figure.controls.index(control))
    return group.locator("input:checked" if control["kind"] == "choice" else "input")


def step(reader, figure, control) -> None:
    """One move of a control, by keyboard alone, from wherever it stands."""
    field = control_input(reader, figure, control)
    field.focus()
    if control["kind"] == "slider":
        at_end = reader.positions(figure.name)[control["name"]] == len(control["values"]) - 1
        reader.page.keyboard.press("Home" if at_end else "ArrowRight")
    elif control["kind"] == "choice":
        reader.page.keyboard.press("ArrowDown")
    elif control["kind"] == "toggle":
        reader.page.keyboard.press("Space")
    else:
        reader.page.keyboard.press("End")
        reader.page.keyboard.type(" zebra")
    reader.settle(figure.name)


def move(reader, figure, control) -> None:
    """Move a control until its figure changes, at most once over its range."""
    before = reader.shown(figure.name)
    for _ in range(len(control.get("values", [0]))):
        step(reader, figure, control)
        if reader.shown(figure.name) != before:
            return
    pytest.fail(f"The control {control['name']!r} moves and changes nothing.", pytrace=False)


def press(reader, figure, selector) -> None:
    reader.figure(figure.name).locator(selector).focus()
    reader.page.keyboard.press("Enter")
    reader.settle(figure.name)


def take(reader, figure, number: int = 1) -> str:
    """Press Step, and return what the figure shows when the step of this number is taken."""
    press(reader, figure, ".sv-training button >> nth=1")
    status = reader.figure(figure.name).locator(".sv-status").element_handle()
    reader.page.wait_for_function(
        "([s, said]) => s.textContent === said", arg=[status, f"step {number}"]
    )
    return reader.shown(figure.name)


def hash_says(reader, figure, control) -> None:
    """Wait until the address names the control, or no control of the figure for None."""
    key = f"{figure.name}.{control['name'] if control else ''}"
    reader.page.wait_for_function(
        "([key, there]) => new URLSearchParams(location.hash.split('?')[1] ?? '').keys()"
        ".some((k) => there ? k === key : k.startsWith(key)) === there",
        arg=[key, control is not None],
    )


def check_readout(reader, figure) -> None:
    readout = reader.figure(figure.name).locator(".sv-readout").inner_text()
    assert readout.strip() and not ODD.search(readout), readout
    for output in reader.figure(figure.name).locator("output").all_inner_texts():
        assert output.strip() and not ODD.search(output), output


def check_data(reader, figure) -> None:
    """The figure shows the numbers that were packed for where its controls stand."""
    if figure.packed.get("function") or "starts" in figure.packed:
        return  # test_twins.py, test_every_training.py
    positions = reader.positions(figure.name)
    wanted = unpack(figure.packed, [positions[c["name"]] for c in figure.controls])
    shown = json.loads(reader.shown(figure.name))
    assert len(shown) == len(wanted)
    for (data, _), expected in zip(shown, wanted):
        assert len(data) == len(expected["data"])
        for trace, packed in zip(data, expected["data"]):
            for key in {"x", "y", "z", "name", "type"} & packed.keys():
                assert numbers(trace[key]) == numbers(packed[key]), key


def test_a_figure_is_drawn_and_described(figure, visit):
    reader = visit.again(figure.page)
    reader.draw(figure.name)
    plots = reader.figure(figure.name).locator(".sv-plot")
    count = plots.count()
    assert count >= 1
    caption = reader.figure(figure.name).locator("figcaption > span").first.inner_text()
    assert caption.strip()
    check_data(reader, figure)
    if "starts" in figure.packed:
        take(reader, figure)
    if figure.controls:
        check_readout(reader, figure)
    for i in range(count):
        plot = plots.nth(i)
        assert plot.get_attribute("role") == "img"
        description = plot.evaluate(
            "({ layout: { meta } }) => meta?.description ?? meta?.label ?? ''"
        )
        assert description.strip(), "The figure has no description in words."
        assert plot.get_attribute("aria-label") == description != caption
        lengths = plot.evaluate(
            """(p) => p._fullData.filter((t) => t.visible === true)
              .map((t) => Math.max(...["x", "y", "z", "values"].map((k) => t[k]?.length ?? 0)))"""
        )
        # At most positions every trace has points; one that starts empty needs another beside it.
        assert max(lengths, default=0) > 0, "No trace has data."
        inked = plot.evaluate(
            """(p) => [...p.querySelectorAll(".main-svg path, .main-svg image, canvas")]
              .map((e) => e.getBoundingClientRect()).some((box) => box.width + box.height > 4)"""
        )
        assert inked, "Nothing is drawn."
        untitled = plot.evaluate(UNTITLED)
        assert not untitled, f"Axes without a title: {untitled}"


@pytest.mark.parametrize("trained", TRAINED, ids=str)
def test_every_control_of_a_training_changes_it(trained, visit):
    reader = visit(trained.page)
    reader.draw(trained.name)
    anew = ".sv-training button >> nth=2"
    before = take(reader, trained), take(reader, trained, 2)
    press(reader, trained, anew)
    for control in trained.controls:
        step(reader, trained, control)
        hash_says(reader, trained, control)
        # The learning rate shows in what the second step finds, all else in the first.
        after = take(reader, trained), take(reader, trained, 2)
        assert after[1] != before[1], control["name"]
        assert (after[0] == before[0]) == (control["name"] == "learning_rate"), control["name"]
        press(reader, trained, ".sv-reset")
        assert reader.positions(trained.name) == start(trained)
        press(reader, trained, anew)
    assert (take(reader, trained), take(reader, trained, 2)) == before
    assert reader.figure(trained.name).locator(".sv-problem").is_hidden()


@pytest.mark.parametrize("moved", STILL, ids=str)
def test_every_control_moves_its_figure_and_the_address(moved, visit):
    reader = visit(moved.page)
    reader.draw(moved.name)
    at_start = reader.shown(moved.name)
    assert reader.positions(moved.name) == start(moved)
    for control in moved.controls:
        move(reader, moved, control)
        check_readout(reader, moved)
        check_data(reader, moved)
        press(reader, moved, ".sv-reset")
        assert reader.positions(moved.name) == start(moved)
        assert reader.shown(moved.name) == at_start

    for control in moved.controls:
        step(reader, moved, control)
    for control in moved.controls:
        hash_says(reader, moved, control)
    positions, shown = reader.positions(moved.name), reader.shown(moved.name)
    reader.page.reload()  # and scrolls to the figure by itself, so it is drawn
    reader.page.wait_for_selector(f"figure[id='{moved.name}'][data-drawn]")
    assert reader.positions(moved.name) == positions
    assert reader.shown(moved.name) == shown
    assert reader.figure(moved.name).locator(".sv-problem").is_hidden()
    press(reader, moved, ".sv-reset")
    assert reader.shown(moved.name) == at_start
    hash_says(reader, moved, None)


@pytest.mark.parametrize("moved", WITH_CONTROLS, ids=str)
def test_every_control_has_a_name_and_speaks(moved, visit):
    reader = visit.again(moved.page)
    reader.draw(moved.name)
    ids = reader.page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(set(ids)) == len(ids), "An id occurs twice on the page."
    for control in moved.controls:
        field = control_input(reader, moved, control)
        names = field.evaluate("(input) => [...input.labels].map((l) => l.textContent.trim())")
        assert any(names), f"The control {control['name']!r} has no label."
        if control["kind"] == "choice":
            assert field.evaluate("(i) => i.closest('fieldset').querySelector('legend').innerText")
        if control["kind"] == "slider":
            said = set()
            for key in ("Home", "ArrowRight", "End"):
                field.press(key)
                words = field.get_attribute("aria-valuetext")
                output = field.evaluate("(i) => i.parentElement.querySelector('output').value")
                assert words == output and words.strip() and not ODD.search(words)
                assert not control["unit"] or control["unit"] in words
                said.add(words)
            assert len(said) == min(3, len(control["values"])), "Two positions read the same."


@pytest.mark.parametrize("moved", PLAYING, ids=str)
def test_play_sweeps_and_with_reduced_motion_steps(moved, visit):
    control = next(c for c in moved.controls if c.get("play"))
    reader = visit.again(moved.page)
    reader.draw(moved.name)
    place = f"Number(document.getElementById('sv-{moved.name}-{control['name']}').value)"
    button = reader.figure(moved.name).locator(".sv-play").first
    assert button.inner_text() == "Play" and control["label"] in button.get_attribute("aria-label")
    control_input(reader, moved, control).press("Home")
    before = reader.shown(moved.name)
    press(reader, moved, ".sv-play >> nth=0")
    assert button.inner_text() == "Pause"
    reader.page.wait_for_function(f"{place} >= {min(2, len(control['values']) - 1)}")
    if len(control["values"]) > 3:
        reader.page.keyboard.press("Enter")
    reader.page.wait_for_function("(b) => b.textContent === 'Play'", arg=button.element_handle())
    assert reader.shown(moved.name) != before

    reader = visit.again(moved.page, reduced_motion="reduce")
    reader.draw(moved.name)
    button = reader.figure(moved.name).locator(".sv-play").first
    assert button.inner_text() == "Next"
    control_input(reader, moved, control).press("Home")
    press(reader, moved, ".sv-play >> nth=0")
    assert reader.page.evaluate(place) == 1
    # It would have moved again after this long, were it to play.
    reader.page.wait_for_timeout(100 + max(60, 4000 / len(control["values"])))
    assert reader.page.evaluate(place) == 1


@pytest.mark.parametrize("moved", WITH_CONTROLS, ids=str)
def test_nonsense_in_the_address_is_answered_and_not_executed(moved, visit):
    # Any text is a text, unless it is too long.
    values = {c["name"]: NONSENSE + "x" * 200 * (c["kind"] == "text") for c in moved.controls}
    state = "&".join(f"{moved.name}.{name}={quote(value)}" for name, value in values.items())
    reader = visit(f"{moved.page}#{moved.name}?{state}")
    reader.draw(moved.name)
    problem = reader.figure(moved.name).locator(".sv-problem")
    said = problem.inner_text()
    for control in moved.controls:
        assert control["label"] in said
    assert reader.positions(moved.name) == start(moved)
    check_data(reader, moved)
    assert reader.page.evaluate("window.hostile") is None
    assert reader.figure(moved.name).locator("img").count() == 0
    # The next move is a good answer, and takes the sentence away.
    step(reader, moved, moved.controls[0])
    assert problem.is_hidden()


def test_the_figures_of_a_page_follow_the_theme(html_page, visit):
    names = [f.name for f in figures() if f.page == html_page]
    if not names:
        return
    reader = visit(html_page, locale="en")  # a context of its own: the button's choice is stored
    reader.page.evaluate("localStorage.clear()")
    reader.page.reload()
    reader.draw()
    ink = "[...document.querySelectorAll('.sv-plot')].map((p) => p._fullLayout.font.color)"
    light, dark = reader.page.evaluate(
        "['light', 'dark'].map((t) => seqvizTemplates[t].layout.font.color)"
    )
    assert set(reader.page.evaluate(ink)) == {light} != {dark}
    before = {name: reader.shown(name) for name in names}
    reader.page.evaluate("scrollTo(0, 0)")
    button = reader.page.locator(".theme-switch-button:visible").first
    for _ in range(3):  # light, dark and the system's, in turn
        if reader.page.evaluate("document.documentElement.dataset.theme") != "dark":
            button.click()
    reader.page.wait_for_function(f"{ink}.every((colour) => colour === '{dark}')")
    fill = reader.page.evaluate(
        "getComputedStyle(document.querySelector('.sv-plot .main-svg .infolayer text')).fill"
    )
    assert fill != "rgb(0, 0, 0)"
    for name in names:  # another template, the same figure
        plots = zip(json.loads(reader.shown(name)), json.loads(before[name]))
        for (data, layout), (data_before, layout_before) in plots:
            assert data == data_before
            assert layout["template"] != layout_before["template"]
