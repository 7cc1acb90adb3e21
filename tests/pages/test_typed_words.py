"""The engine behind figures of typed words: when it opens, when it closes, and when it cannot."""

import json

import pytest
from built_site import figures

TYPED = [f for f in figures() if f.packed.get("vocabulary")]
ENGINE = "**/engine.js"
every_typed = pytest.mark.parametrize("typed", TYPED, ids=str)


def text_of(typed):
    return next(c for c in typed.controls if c["kind"] == "text")


def opened(reader, typed):
    reader.draw(typed.name)
    return reader.figure(typed.name).locator("input[type=text]")


def said(reader, typed):
    return reader.figure(typed.name).locator(".sv-problem").inner_text()


def test_there_are_figures_of_typed_words():
    assert {f.packed["function"] for f in TYPED} == {
        "attentionSteps", "judgedSentence", "typedDate",
    }  # fmt: skip


@every_typed
def test_weights_are_loaded_once_and_not_with_the_page(typed, visit):
    asked = []
    reader = visit()
    reader.page.on("request", lambda request: asked.append(request.url.rsplit("/", 1)[1]))
    reader.page.goto(f"{reader.address}/{typed.page}")
    box = opened(reader, typed)
    heavy = [name for name in asked if name.startswith(("engine", "text-"))]
    assert not heavy and not reader.page.workers
    # The other controls need no engine for the first text.
    for control in typed.controls:
        if control["kind"] != "text":
            field = reader.figure(typed.name).locator(f"[id^='sv-{typed.name}-{control['name']}']")
            field.locator("nth=0").press("ArrowRight")
    before = reader.shown(typed.name)
    assert not reader.page.workers
    box.focus()
    reader.page.keyboard.press("End")
    reader.page.keyboard.type(" 7")
    assert reader.shown(typed.name) != before
    reader.page.keyboard.type("7")
    reader.settle(typed.name)
    assert len(reader.page.workers) == 1
    heavy = sorted(name for name in asked if name.startswith(("engine", "text-")))
    assert len(heavy) == 2 and heavy[0] == "engine.js"


@every_typed
def test_the_last_of_many_fast_letters_is_what_is_drawn(typed, visit):
    reader = visit(typed.page)
    box = opened(reader, typed)
    box.fill("may")
    reader.settle(typed.name)
    text = "5 may 2024 or 6"
    box.fill(text)
    slow = reader.shown(typed.name)
    box.fill("")
    reader.page.evaluate(
        """([name, text]) => {
          const input = document.querySelector(`#${name} input[type=text]`);
          for (let i = 1; i <= text.length; i++) {
            input.value = text.slice(0, i);
            input.dispatchEvent(new Event("input"));
          }
        }""",
        [typed.name, text],
    )
    assert reader.shown(typed.name) == slow


@every_typed
def test_the_engine_is_given_back_when_the_figure_is_left(typed, visit):
    reader = visit(typed.page)
    box = opened(reader, typed)
    box.fill("may 6")
    first = reader.shown(typed.name)
    assert len(reader.page.workers) == 1
    reader.page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    for _ in range(20):  # the browser tells of what is out of sight in its own time
        reader.page.wait_for_timeout(100 if reader.page.workers else 0)
    assert not reader.page.workers
    box.fill("may 7")
    assert reader.shown(typed.name) != first
    box.fill("may 6")
    assert reader.shown(typed.name) == first
    assert len(reader.page.workers) == 1


@every_typed
def test_a_device_without_webassembly_is_told_and_keeps_its_figure(typed, visit):
    reader = visit()
    reader.page.add_init_script("delete globalThis.WebAssembly")
    reader.page.goto(f"{reader.address}/{typed.page}")
    box = opened(reader, typed)
    before = reader.shown(typed.name)
    box.fill("may 6")
    reader.settle(typed.name)
    assert "could not follow your text: this browser has no WebAssembly" in said(reader, typed)
    assert reader.shown(typed.name) == before and box.input_value() == "may 6"
    reader.figure(typed.name).locator(".sv-reset").click()
    assert said(reader, typed) == "" and reader.shown(typed.name) == before
    assert box.input_value() == text_of(typed)["start"]


@every_typed
def test_a_failed_load_is_said_and_tried_again(typed, visit):
    reader = visit(typed.page)
    box = opened(reader, typed)
    before = reader.shown(typed.name)
    readout = reader.figure(typed.name).locator(".sv-readout")
    sentence = readout.inner_text()

    def cut(route):
        reader.page.wait_for_timeout(600)
        route.abort()

    reader.page.route(ENGINE, cut)
    box.fill("may 6")
    reader.settle(typed.name)
    assert readout.inner_text() == sentence
    assert "engine.js could not be read. The figure stays as it was" in said(reader, typed)
    assert reader.shown(typed.name) == before
    reader.page.unroute(ENGINE)
    reader.troubles.clear()  # the load that was cut
    box.fill("may 6 2024")
    reader.settle(typed.name)
    assert said(reader, typed) == "" and reader.shown(typed.name) != before


@every_typed
def test_a_slow_load_is_explained_in_the_meantime(typed, visit):
    reader = visit(typed.page)
    box = opened(reader, typed)

    def late(route):
        reader.page.wait_for_timeout(1500)
        route.continue_()

    reader.page.route(ENGINE, late)
    box.fill("may 6")
    readout = reader.figure(typed.name).locator(".sv-readout")
    reader.page.wait_for_function(
        "(e) => e.textContent.includes('loads what computes')", arg=readout.element_handle()
    )
    shown = json.loads(reader.shown(typed.name))
    assert readout.inner_text().startswith(shown[0][1]["meta"]["description"])
