"""The recipes of the how-to page: each is run, or what it names is looked up."""

import re
from pathlib import Path

import pytest

from seqviz.explore.explorable import BOOK_VARIABLE

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "chapters" / "how-to.md").read_text(encoding="utf-8")


def blocks(language):
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", PAGE, re.M | re.S)
    return [re.sub(rf"^{indent}", "", text, flags=re.M) for indent, text in found]


def test_the_python_of_the_page_runs(monkeypatch):
    monkeypatch.delenv(BOOK_VARIABLE, raising=False)
    space = {"__name__": "__main__"}
    assert len(blocks("python")) >= 2
    for text in blocks("python"):
        exec(compile(text, "how-to.md", "exec"), space)


def test_the_commands_of_the_page_are_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z]+)", PAGE))
    assert named and not [n for n in named if not re.search(rf"^{n}:", makefile, re.M)]


@pytest.mark.parametrize("name", ["_toc.yml", "CONTRIBUTING.md", "seqviz/plots/style.py"])
def test_the_files_of_the_page_are_there(name):
    assert f"`{name}`" in PAGE and (ROOT / name).is_file()
