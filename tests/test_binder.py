"""Binder, as far as it shows without an image: `make binder` runs what is declared here."""

import ast
import json
import os
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
DISTRIBUTIONS = packages_distributions()
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
(PIP,) = (part["pip"] for part in ENVIRONMENT["dependencies"] if isinstance(part, dict))
DECLARED = {canonicalize_name(Requirement(t).name) for t in PIP if not t.startswith("-")}


def imported(path):
    """The packages that the code of a notebook imports, those of Python and the library aside."""
    code = [c for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]
    for cell in code[1:]:  # the first installs the library where it is missing
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for first in {name.split(".")[0] for name in names} - {"seqviz"}:
                if first not in sys.stdlib_module_names:
                    yield first


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_a_chapter_imports_only_what_the_environment_declares(path):
    for name in imported(path):
        from_ = {canonicalize_name(d) for d in DISTRIBUTIONS.get(name, [name])}
        assert from_ & DECLARED, f"{name} is not in environment.yml."


def test_the_image_holds_nothing_that_builds_or_tests_the_book():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    tools = {
        canonicalize_name(Requirement(t).name) for key in ("book", "test") for t in extras[key]
    }
    assert not tools & DECLARED
    assert [p for p in ENVIRONMENT["dependencies"] if isinstance(p, str)] == ["python=3.11", "pip"]
    assert any(t.startswith("--extra-index-url") for t in PIP)
    (torch,) = (t for t in PIP if t.startswith("torch=="))
    assert torch.endswith("+cpu"), "PyPI's torch for Linux carries CUDA."


def test_what_runs_after_the_environment_stops_at_the_first_error():
    script = ROOT / "postBuild"
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("#!") and "set -euo pipefail" in lines
    assert os.access(script, os.X_OK), "repo2docker runs only a file that may be executed."
    installs = [line for line in lines if re.search(r"\bpip install\b", line)]
    assert installs and all("--no-deps" in line for line in installs)
