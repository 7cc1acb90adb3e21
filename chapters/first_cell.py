"""Writes the first code cell of every chapter: `make cells`, after a new address or version.

The address of the repository is the one of _config.yml, the version that of pyproject.toml.
"""

import json
import tomllib
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent
CELL = """\
# Installs the library where it is missing, as in Colab or VS Code. Elsewhere it does nothing.
import importlib.util

if importlib.util.find_spec("seqviz") is None:
    home = "{home}"
    wheel = "{wheel}"
    %pip install --quiet {{home}}/releases/download/v{version}/{{wheel}}
    %pip install --quiet --no-deps {bertviz}"""  # what it declares besides weighs 200 MB


def first_cell() -> str:
    """The cell: it installs the wheel of this version from the releases, and bertviz."""
    config = yaml.safe_load((FOLDER.parent / "_config.yml").read_text(encoding="utf-8"))
    text = (FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    name, version = project["name"].replace("-", "_"), project["version"]
    wheel = f"{name}-{version}-py3-none-any.whl"
    (bertviz,) = (t for t in project["optional-dependencies"]["attention"] if "bertviz" in t)
    home = config["repository"]["url"].rstrip("/")
    return CELL.format(home=home, wheel=wheel, version=version, bertviz=bertviz)


def write(path: Path) -> None:
    """Put the cell before the others of a notebook, or in the place of the one there."""
    chapter = json.loads(path.read_text(encoding="utf-8"))
    cell = {
        "cell_type": "code", "id": f"{path.stem}-install", "metadata": {"tags": ["remove-cell"]},
        "source": first_cell().splitlines(keepends=True), "execution_count": None, "outputs": [],
    }  # fmt: skip
    others = [c for c in chapter["cells"] if c["id"] != cell["id"]]
    first = next(i for i, other in enumerate(others) if other["cell_type"] == "code")
    chapter["cells"] = [*others[:first], cell, *others[first:]]
    text = json.dumps(chapter, ensure_ascii=False, indent=1) + "\n"
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for chapter in sorted(FOLDER.glob("*.ipynb")):
        write(chapter)
