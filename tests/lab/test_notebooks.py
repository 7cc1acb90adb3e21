"""Chapters and figures in JupyterLab and in Notebook 7, with a kernel behind every control."""

from __future__ import annotations

import base64
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests")]

from find_chromium import find  # noqa: E402
from notebook_app import FRONT_ENDS, Notebook, jupyter, write_notebook  # noqa: E402

from seqviz import models, steps, tasks  # noqa: E402

expect.set_options(timeout=20_000)

# What a figure shows, as plotly holds it.
SHOWN = """(figure) => JSON.stringify(
  [...figure.querySelectorAll(".sv-plot")].map((plot) => plot.data),
  (_, value) => ArrayBuffer.isView(value) ? Array.from(value) : value)"""

# A figure that says which call of its function drew it, for which values.
WAVE = """
import time
import numpy as np, plotly.graph_objects as go, torch
import seqviz as sv
torch.set_num_threads(1)
calls = 0

def wave(x, kind, shifted, word):
    global calls
    calls += 1
    if kind == "fails":
        raise ValueError("there is no such wave.\\nMore than a reader wants to know.")
    if kind == "slow":
        time.sleep(0.3)
    figure = go.Figure(go.Scatter(y=[x, x + shifted]))
    said = f"Call {calls}: x is {x}, {kind}, {shifted}, {word!r}."
    return figure.update_layout(meta={"description": said})
"""
EXPLORE = """
shown = sv.explore(
    wave, name="wave", caption="A wave.", page_function="none",
    x=sv.Slider([1, 2.5, 4, 5.5, 7, 8.5, 10], play=True),
    kind=sv.Choice(["quick", "slow", "fails"]), shifted=sv.Toggle(), word=sv.Text("a"),
)
shown
"""
FRAME = """
weights = np.full((1, 2, 3, 3), 1 / 3)
sv.head_view(weights, ["one", "<b>two", "three"], name="heads", caption="Three words.")
"""
TRAIN = """
model, task = sv.models.RNN(2, 16, 1, seed=0), sv.tasks.Adding(10)
trace = sv.train(model, task, steps=1_000_000, learning_rate=1e-3)
"""
USE = """
print(trace.about["stopped"], len(trace["loss"]))
print("score", sv.evaluate(model, task.batch(8, seed=0), task))
again = sv.train(model, task, steps=5, learning_rate=1e-3, progress=False)
print("again", len(again["loss"]), again.about["stopped"])
"""
LIVE = """
def race(length, forget_bias):
    if forget_bias == 3:
        raise ValueError("there is no such bias.")
    task = sv.tasks.Adding(length)
    sizes = task.input_size, 16, task.output_size
    return task, {"RNN": sv.models.RNN(*sizes),
                  "LSTM": sv.models.LSTM(*sizes, forget_bias=forget_bias)}

sv.train_live(
    race, name="race", caption="Two networks.", views=("metric", "gradient map", "gates"),
    steps=100_000, learning_rate=sv.Slider([0.001, 0.003, 0.01], 0.003),
    length=sv.Choice({"5 steps": 5, "10 steps": 10}), forget_bias=sv.Slider([0, 1, 2, 3], 1),
)
"""
CELLS = [WAVE, EXPLORE, "shown", FRAME, TRAIN, USE, LIVE]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("book")
    shutil.copytree(
        ROOT / "chapters", folder / "chapters", ignore=shutil.ignore_patterns(".ipynb_checkpoints")
    )
    trim(folder / "chapters" / "vanishing-gradients.ipynb", after="cliff")
    for front_end in FRONT_ENDS:
        write_notebook(folder / f"{front_end}.ipynb", CELLS)
    with jupyter(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"  # the network is cut
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find(), args=["--no-sandbox", "--disable-gpu", rules]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def opened(browser: Browser, server: str) -> Iterator[Callable[[str, str], Notebook]]:
    """Opens a notebook in a front end, where it stays open for later tests."""
    kept: dict[tuple[str, str], Notebook] = {}

    def open_notebook(front_end: str, path: str) -> Notebook:
        if (front_end, path) not in kept:
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.set_default_timeout(20_000)
            kept[front_end, path] = Notebook(page, server, front_end, path)
        return kept[front_end, path]

    yield open_notebook
    for notebook in kept.values():
        notebook.page.context.close()


@pytest.fixture(params=FRONT_ENDS)
def workshop(request, opened) -> Notebook:
    """The notebook of the figure above, run up to the training."""
    notebook = opened(request.param, f"{request.param}.ipynb")
    if not notebook.page.locator("iframe[title='Three words.']").count():
        for cell in range(4):
            notebook.run(cell)
        expect(said(notebook.figure())).not_to_be_empty()
    return notebook


def trim(path: Path, after: str) -> None:
    """End a chapter with the figure of this name."""
    chapter = json.loads(path.read_text(encoding="utf-8"))
    cells = chapter["cells"]
    (last,) = (i for i, cell in enumerate(cells) if f'name="{after}"' in "".join(cell["source"]))
    chapter["cells"] = cells[: last + 1]
    path.write_text(json.dumps(chapter), encoding="utf-8")


def said(figure: Locator) -> Locator:
    return figure.locator(".sv-readout")


def problem(figure: Locator) -> Locator:
    return figure.locator(".sv-problem")


def slider(figure: Locator) -> Locator:
    return figure.get_by_role("slider")


def choose(figure: Locator, option: str) -> None:
    figure.locator(".sv-choice label", has_text=re.compile(f"^{option}$")).click()


def drag(handle: Locator, to: float, steps: int = 10) -> None:
    """Drag a slider from where it is to a part of its length, as a hand does."""
    handle.scroll_into_view_if_needed()
    box, mouse = handle.bounding_box(), handle.page.mouse
    low, high = float(handle.get_attribute("min")), float(handle.get_attribute("max"))
    at = (float(handle.input_value()) - low) / (high - low)
    thumb, y = 16, box["y"] + box["height"] / 2  # pixels
    place = [box["x"] + thumb / 2 + part * (box["width"] - thumb) for part in (at, to)]
    mouse.move(place[0], y)
    mouse.down()
    mouse.move(place[1], y, steps=steps)
    mouse.up()


def redrawn(figure: Locator, move: Callable[[], None]) -> str:
    """What the figure shows after a move; fails if it stays what it was, or complains."""
    before, end = figure.evaluate(SHOWN), time.monotonic() + 30
    move()
    while (after := figure.evaluate(SHOWN)) == before:
        assert time.monotonic() < end, f"The move changed nothing: {figure.inner_text()}"
        time.sleep(0.02)
    expect(problem(figure)).to_be_hidden()
    return after


CHAPTERS = [("lab", "vanishing-gradients"), ("lab", "opening"), ("notebook", "opening")]


@pytest.mark.parametrize("front_end, chapter", CHAPTERS)
def test_every_control_of_a_chapter_asks_the_kernel(opened, front_end, chapter):
    notebook = opened(front_end, f"chapters/{chapter}.ipynb")
    notebook.run_all()
    count = {"vanishing-gradients": 4, "opening": 1}[chapter]
    # A training is drawn by its own test.
    figures = notebook.page.locator("figure.sv-figure:has(.sv-readout):not(:has(.sv-training))")
    expect(figures).to_have_count(count)
    for figure in figures.all():
        figure.scroll_into_view_if_needed()
        for handle in slider(figure).all():
            redrawn(figure, partial(handle.press, "ArrowRight"))
            assert float(handle.input_value()) % 1, "The kernel has values between, too."
            redrawn(figure, partial(drag, handle, 0.43))
        for group in figure.get_by_role("group").all():
            redrawn(figure, partial(group.get_by_role("radio").first.press, "ArrowRight"))
            redrawn(figure, group.locator("label").last.click)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_between_two_grid_values_the_figure_is_the_kernels(opened, front_end):
    notebook = opened(front_end, "chapters/opening.ipynb")
    reset = notebook.page.get_by_role("button", name="Reset: first-gradient")
    figure = notebook.page.locator("figure.sv-figure").filter(has=reset)
    reset.click()
    expect(figure.locator("output")).to_have_text("0.9")
    redrawn(figure, lambda: slider(figure).press("ArrowRight"))
    expect(figure.locator("output")).to_have_text("0.91")
    cells = json.loads((ROOT / "chapters/opening.ipynb").read_text(encoding="utf-8"))["cells"]
    scope: dict = {}
    for cell in cells:
        if cell["id"] in ("opening-race-start", "opening-02"):
            exec("".join(cell["source"]), scope)
    (traces,) = json.loads(figure.evaluate(SHOWN))
    wanted = scope["gradient_of"](0.91, "tanh").data
    for trace, want in zip(traces, wanted, strict=True):
        packed = base64.b64decode(trace["y"]["bdata"])
        drawn = np.frombuffer(packed, np.dtype(trace["y"]["dtype"]))
        np.testing.assert_allclose(drawn, want.y, rtol=1e-6)


def test_every_kind_of_control_takes_the_mouse_and_the_keyboard(workshop):
    figure = workshop.figure()
    slider(figure).press("ArrowRight")
    expect(said(figure)).to_contain_text("x is 1.15,")
    drag(slider(figure), 0.5)
    expect(said(figure)).to_contain_text("x is 5.5,")
    figure.get_by_role("checkbox").press("Space")
    expect(said(figure)).to_contain_text("quick, True")
    figure.get_by_role("checkbox").click()
    expect(said(figure)).to_contain_text("quick, False")
    figure.get_by_role("radio", name="quick").press("ArrowRight")
    expect(said(figure)).to_contain_text("slow, False")
    choose(figure, "quick")
    expect(said(figure)).to_contain_text("quick, False")
    # Letters that are commands of the notebook: cut, delete twice, new cells.
    figure.get_by_role("textbox").press("End")
    figure.get_by_role("textbox").press_sequentially("xddab")
    expect(said(figure)).to_contain_text("'axddab'")
    assert workshop.page.locator(".jp-Notebook .jp-Cell").count() == len(CELLS)
    figure.get_by_role("button", name="Play: X").press("Enter")
    expect(said(figure)).to_contain_text("x is 10,")
    figure.get_by_role("button", name="Reset: wave").press("Space")
    expect(said(figure)).to_contain_text("x is 1, quick, False, 'a'")


def test_a_function_that_fails_says_so_and_recovers_on_the_next_move(workshop):
    figure = workshop.figure()
    before = figure.evaluate(SHOWN)
    choose(figure, "fails")
    expect(problem(figure)).to_have_text("ValueError: there is no such wave.")
    assert figure.evaluate(SHOWN) == before
    choose(figure, "quick")
    expect(problem(figure)).to_be_hidden()
    redrawn(figure, lambda: slider(figure).press("ArrowRight"))
    figure.get_by_role("button", name="Reset: wave").click()


def calls(figure: Locator) -> int:
    return int(re.match(r"Call (\d+):", said(figure).inner_text())[1])


def test_a_quick_drag_draws_its_end_and_leaves_no_queue(workshop):
    figure = workshop.figure()
    choose(figure, "slow")
    expect(said(figure)).to_contain_text("slow")
    before = calls(figure)
    moves = figure.evaluate_handle(
        "(f) => { const seen = []; f.addEventListener('input', () => seen.push(0)); return seen; }"
    )
    drag(slider(figure), 1, steps=40)
    expect(said(figure)).to_contain_text("x is 10")
    made, after = moves.evaluate("(seen) => seen.length"), calls(figure) - before
    seconds = 0.3 * after
    assert made >= 20 and after <= max(3, made // 5), f"{made} moves, {after} calls, {seconds} s"
    time.sleep(0.7)  # a call that was still in a queue would be drawn now
    expect(said(figure)).to_contain_text(f"Call {before + after}: x is 10")
    choose(figure, "quick")
    expect(said(figure)).to_contain_text("quick")


def test_a_figure_shown_twice_has_controls_of_its_own(workshop):
    first, second = workshop.figure(0), workshop.figure(1)
    choose(first, "slow")
    expect(said(first)).to_contain_text("slow")
    expect(second.get_by_role("radio", name="quick")).to_be_checked()
    choose(second, "fails")
    expect(problem(second)).to_be_visible()
    expect(first.get_by_role("radio", name="slow")).to_be_checked()
    for figure in (first, second):
        figure.get_by_role("button", name="Reset: wave").click()
        expect(said(figure)).to_contain_text("quick")


def test_a_view_of_bertviz_is_drawn_in_its_frame(workshop):
    frame = workshop.page.frame_locator("iframe[title='Three words.']")
    expect(frame.locator("svg line").first).to_be_attached()
    expect(frame.locator("body")).to_contain_text("<b>two")


def test_a_page_that_is_loaded_again_shows_the_last_move(workshop):
    figure = workshop.figure()
    drag(slider(figure), 1)
    expect(said(figure)).to_contain_text("x is 10")
    workshop.menu("File", "Save Notebook")
    expect(workshop.page).not_to_have_title(re.compile("^[*]"))
    workshop.page.reload()
    figure = workshop.figure()
    expect(said(figure)).to_contain_text("x is 10")
    expect(figure.locator("output")).to_have_text("10")
    redrawn(figure, lambda: slider(figure).press("ArrowLeft"))
    redrawn(figure, lambda: figure.get_by_role("button", name="Reset: wave").click())


def test_training_shows_its_progress_and_an_interrupt_leaves_the_model_usable(workshop):
    workshop.run(4)
    bar = workshop.cell(4).locator(".jp-OutputArea")
    expect(bar).to_contain_text(re.compile(r"\b[1-9]\d*/1000000"))
    first = bar.inner_text()
    expect(bar).not_to_have_text(first)
    workshop.menu("Kernel", "Interrupt Kernel")
    workshop.idle()
    workshop.run(5)
    result = workshop.cell(5).locator(".jp-OutputArea-output")
    expect(result).to_contain_text("again 5 None")
    text = result.inner_text()
    steps, kept = re.match(r"interrupted after (\d+) of 1000000 steps (\d+)", text).groups()
    assert steps == kept and np.isfinite(float(re.search(r"score (\S+)", text)[1]))
    assert "Traceback" not in workshop.cell(4).inner_text()


def steps_of(figure: Locator) -> int:
    return int(re.match(r"step (\d+)", figure.locator(".sv-status").inner_text())[1])


def more_steps(figure: Locator) -> None:
    """Wait until the training has gone on."""
    before, end = steps_of(figure), time.monotonic() + 20
    while steps_of(figure) <= before:
        assert time.monotonic() < end, f"No step was taken: {figure.inner_text()}"
        time.sleep(0.02)


def test_the_kernel_trains_what_the_buttons_ask_for(workshop):
    workshop.run(6)
    button = partial(workshop.page.get_by_role, "button")
    expect(button(name="Train: race")).to_be_visible()
    figure = workshop.page.locator("figure.sv-figure").filter(has=button(name="Step: race"))
    button(name="Step: race").press("Enter")
    expect(said(figure)).to_contain_text("After 1 step ")
    # The very step that PyTorch takes.
    task = tasks.Adding(5)
    losses = []
    for model in (models.RNN(2, 16, 1), models.LSTM(2, 16, 1, forget_bias=1)):
        (step,) = steps(model, task, steps=1, learning_rate=0.003)
        losses.append(f"{step.loss:.3f}")
    expect(said(figure)).to_contain_text(f"RNN: {losses[0]}; LSTM: {losses[1]}")

    button(name="Train: race").click()
    expect(button(name="Pause: race")).to_be_visible()
    more_steps(figure)
    slider(figure).last.press("ArrowRight")  # the learning rate acts on what goes on
    before = steps_of(figure)
    more_steps(figure)
    assert steps_of(figure) > before > 1
    button(name="Pause: race").press("Space")
    expect(button(name="Train: race")).to_be_visible()
    workshop.idle()
    stopped = steps_of(figure)
    time.sleep(0.5)
    assert steps_of(figure) == stopped
    for plot in json.loads(figure.evaluate(SHOWN)):
        assert all(len(trace["z"] if trace["type"] == "heatmap" else trace["x"]) for trace in plot)

    choose(figure, "10 steps")  # another task: from the beginning
    expect(figure.locator(".sv-status")).to_have_text("step 0")
    slider(figure).first.press("End")
    expect(problem(figure)).to_have_text("ValueError: there is no such bias.")
    slider(figure).first.press("Home")
    expect(problem(figure)).to_be_hidden()
    button(name="Step: race").click()
    expect(said(figure)).to_contain_text("9 steps back")
    button(name="Reset: race").click()
    expect(figure.locator(".sv-status")).to_have_text("step 0")


def test_after_a_restart_the_figure_says_so_and_its_cell_works_again(workshop):
    figure = workshop.figure()
    workshop.menu("Kernel", "Restart Kernel")
    workshop.page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(problem(figure)).to_contain_text("run this cell again")
    workshop.idle()
    slider(figure).press("ArrowRight")
    expect(problem(figure)).to_contain_text("run this cell again")
    for _ in range(2):  # and once more, without a restart
        workshop.run(0)
        workshop.run(1)
        expect(problem(figure)).to_be_hidden()
        expect(said(figure)).to_contain_text("x is 1,")
        redrawn(figure, lambda: slider(figure).press("ArrowRight"))
        choose(figure, "slow")
        expect(said(figure)).to_contain_text("slow")
