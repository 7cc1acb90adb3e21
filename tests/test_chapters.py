"""What every chapter must be, read from the notebooks; a new one is tested as it lands."""

import ast
import json
import os
import re
from pathlib import Path

import pytest

from chapters.first_cell import first_cell
from seqviz.explore.explorable import BOOK_VARIABLE

FOLDER = Path(__file__).parents[1] / "chapters"
PATHS = sorted(FOLDER.glob("*.ipynb"))
TRIALS = [path for path in PATHS if path.stem != "opening"]  # the chapters that try a claim
LINES, WIDTH = 20, 100  # of a cell
OWN, PARITY = "own-cell", "torch.testing.assert_close("
DOWNLOADS = {"urllib", "urllib3", "requests", "http", "httpx", "aiohttp", "ftplib", "socket"}


def chapter(path):
    return json.loads(path.read_text(encoding="utf-8"))


def cells(path, kind):
    """The cells of a kind, but for the first of code, which has a test of its own."""
    own = [c for c in chapter(path)["cells"] if c["id"] != f"{path.stem}-install"]
    return [cell for cell in own if cell["cell_type"] == kind]


def source(cell):
    return "".join(cell["source"])


def tags(cell):
    return cell["metadata"].get("tags", [])


def prose(path):
    return "\n\n".join(source(cell) for cell in cells(path, "markdown"))


every_chapter = pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
every_trial = pytest.mark.parametrize("path", TRIALS, ids=lambda p: p.stem)


def test_every_chapter_is_in_the_table_of_contents():
    listed = re.findall(r"chapters/([\w-]+)", (FOLDER.parent / "_toc.yml").read_text("utf-8"))
    written = {p.stem for p in FOLDER.iterdir() if p.suffix in (".ipynb", ".md")}
    assert set(listed) == written and len(listed) == len(written)
    assert len(TRIALS) >= 2


@every_chapter
def test_nothing_that_was_run_is_committed(path):
    for cell in [c for c in chapter(path)["cells"] if c["cell_type"] == "code"]:
        assert cell["outputs"] == [] and cell["execution_count"] is None, source(cell)[:60]
    assert "widgets" not in chapter(path)["metadata"]


@every_chapter
def test_a_chapter_runs_on_the_readers_own_python(path):
    kernel = chapter(path)["metadata"]["kernelspec"]
    assert (kernel["name"], kernel["language"]) == ("python3", "python")


@every_chapter
def test_the_first_cell_installs_the_library_where_it_is_missing(path):
    first = next(c for c in chapter(path)["cells"] if c["cell_type"] == "code")
    there = (first["id"], tags(first), source(first))
    # Its source is one for all, so that pages leave it out and no test need read it again.
    assert there == (f"{path.stem}-install", ["remove-cell"], first_cell()), (
        "The first cell has not the address of _config.yml and the version of pyproject.toml: "
        "run `make cells`."
    )


@every_chapter
def test_a_chapter_stands_alone(path):
    for cell in cells(path, "code"):
        named = re.search(r"\.\./|\.npz|\.json|\bopen\(", source(cell))
        assert not named, f"A file beside a chapter is not there in Colab: {source(cell)}"


@every_chapter
def test_a_cell_shows_one_idea(path):
    for cell in [first_cell(), *map(source, cells(path, "code"))]:
        lines = cell.splitlines()
        assert len(lines) <= LINES, f"{len(lines)} lines: {lines[0]}"
        assert not [line for line in lines if len(line) > WIDTH], f"a long line: {lines[0]}"


@every_chapter
def test_nothing_is_downloaded(path):
    for cell in cells(path, "code"):
        for node in ast.walk(ast.parse(source(cell))):
            if isinstance(node, ast.Import):
                names = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").split(".")[0]}
            else:
                continue
            assert not names & DOWNLOADS, source(cell)
        assert not re.search(r"https?://|^\s*[!%]", source(cell), re.M), source(cell)


@every_chapter
def test_a_chapter_opens_with_a_quoted_and_cited_claim(path):
    opening = source(chapter(path)["cells"][0])
    assert opening.startswith("# ")
    quote = [line for line in opening.splitlines() if line.startswith(">")]
    assert quote and re.search(r"\{cite\}`\w+`", quote[-1]), "The claim has no source."


@every_chapter
def test_every_figure_has_a_name_and_a_caption(path):
    names = []
    for cell in cells(path, "code"):
        for node in ast.walk(ast.parse(source(cell))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "sv.explore":
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                names.append(ast.literal_eval(given["name"]))
                caption = ast.literal_eval(given["caption"])
                assert len(caption) > 40 and caption.endswith("."), names[-1]
    assert len(names) == len(set(names)) >= (1 if path.stem == "opening" else 3)


@every_chapter
def test_only_what_draws_a_figure_may_be_folded_away(path):
    code = cells(path, "code")
    for before, cell in zip([None, *code], code):
        if "hide-input" in tags(cell):
            assert OWN not in tags(cell) and PARITY not in source(cell)
            assert before is None or OWN not in tags(before)
    for cell in code:
        assert set(tags(cell)) <= {OWN, "hide-input"}, "A tag that could hide what goes wrong."


@every_chapter
def test_the_reader_predicts_before_they_see(path):
    kinds = [
        "predict" if 'class="sv-predict"' in source(c) else "figure"
        for c in chapter(path)["cells"]
        if 'class="sv-predict"' in source(c) or "sv.explore(" in source(c)
    ]
    assert kinds[0] == "predict" and "figure" in kinds
    text = prose(path)
    boxes = re.findall(r'<div class="sv-predict">(.*?)</div>', text, re.S)
    assert len(boxes) == text.count('class="sv-predict"')
    groups = [set(re.findall(r'<details name="([^"]+)"', box)) for box in boxes]
    assert all(len(group) == 1 for group in groups), "The answers of a box close one another."
    assert len(set.union(*groups)) == len(boxes)
    for box in boxes:
        assert box.count("<summary>") >= 2 and box.count("<details") == box.count("</details>")


@every_trial
def test_a_chapter_ends_in_verdicts_and_exercises(path):
    order = [source(cell) for cell in chapter(path)["cells"]]
    verdicts = [i for i, text in enumerate(order) if "sv.verdict(" in text]
    (tries,) = (i for i, text in enumerate(order) if re.search(r"^## Try", text, re.M))
    figures = [i for i, text in enumerate(order) if "sv.explore(" in text]
    assert verdicts and max(figures) < verdicts[0] < tries
    exercises = re.findall(r"^\*\*\d\. [^*]+\*\*.*$", order[tries], re.M)
    assert len(exercises) >= 2
    # An exercise says what to expect.
    assert all("expect" in exercise.lower() or "?" in exercise for exercise in exercises)
    assert "What happened since" in prose(path)


# Sources

CITED = [key for path in PATHS for keys in re.findall(r"\{cite\}`([^`]+)`", prose(path))
         for key in keys.split(",")]  # fmt: skip
LISTED = re.findall(r"^@\w+\{([^,]+),", (FOLDER / "references.bib").read_text("utf-8"), re.M)


def test_every_source_is_listed_and_every_entry_is_cited():
    assert len(LISTED) == len(set(LISTED))
    assert {key.strip() for key in CITED} == set(LISTED)


def test_every_source_has_an_author_a_title_and_a_year():
    entries = re.split(r"^@", (FOLDER / "references.bib").read_text("utf-8"), flags=re.M)[1:]
    for entry in entries:
        for field in ("author", "title", "year"):
            assert re.search(rf"^  {field} = \{{\S", entry, re.M), entry.splitlines()[0]


# The cell that the chapter builds in full


def own_cells(path):
    """The code as far as the parity check, and where the own cell and the check stand in it."""
    code = [cell for cell in cells(path, "code")]
    at = [i for i, cell in enumerate(code) if OWN in tags(cell)]
    assert at, f"{path.stem} builds no cell of its own."
    (own,) = at
    assert PARITY in source(code[own + 1]), "The own cell is not compared with the library's."
    texts = [source(cell) for cell in code[: own + 2] if "sv.explore(" not in source(cell)]
    return texts, len(texts) - 2


@pytest.fixture(scope="module")
def run():
    """Runs cells in one namespace, as a reader would: from the folder of the chapters."""
    here, book = Path.cwd(), os.environ.pop(BOOK_VARIABLE, None)
    os.chdir(FOLDER)

    def run(texts):
        space = {"__name__": "__main__"}
        for text in texts:
            exec(compile(text, "cell", "exec"), space)

    yield run
    os.chdir(here)
    if book is not None:
        os.environ[BOOK_VARIABLE] = book


@every_trial
def test_the_own_cell_is_equal_to_the_librarys(path, run):
    texts, own = own_cells(path)
    assert "sv.models" not in texts[own], "The own cell calls what it should build."
    run(texts)


# Ways to get a cell wrong: each is tried wherever the text occurs, and must be noticed.
MISTAKES = [
    ("torch.tanh", "torch.sigmoid"),
    ("torch.sigmoid", "torch.tanh"),
    (" + ", " - "),
    (" * ", " + "),
    ("+= 1", "+= 2"),
    ("+= 1", "= 0"),
    (" + bias", ""),
    ("weight_hh.T ", "weight_hh "),
    ("from_input + from_memory", "from_input"),
    ("inputs[:, t]", "inputs[:, 0]"),
    ("new_zeros", "new_ones"),
    ("vocabulary.index(word)", "0"),
    ("-1 - j", "j"),
    ("torch.relu", "torch.tanh"),
    ("scores / math.sqrt(", "scores * math.sqrt("),
    ("weights @ value", "weights @ key"),
    ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-2)"),
]


@every_trial
def test_a_mistake_in_the_own_cell_is_noticed(path, run):
    texts, own = own_cells(path)
    tried = 0
    for right, wrong in MISTAKES:
        broken = texts[own].replace(right, wrong)
        if broken == texts[own]:
            continue
        tried += 1
        with pytest.raises(AssertionError, match="not close"):
            run([*texts[:own], broken, *texts[own + 1 :]])
    assert tried >= 2, "MISTAKES has too few that apply to this chapter: add some."
