"""The rules of the house that no single module can keep."""

import ast
import importlib
import inspect
import json
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import seqviz

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "seqviz"

# What each part may import of the others. Data flows from tasks and models through training and
# probes to a trace, from there to plots, to explore, and to the book; never back.
ALLOWED = {
    "tasks": set(),
    "models": set(),
    "trace": set(),
    "recordings": {"trace"},
    "probes": {"models"},
    "training": {"tasks", "models", "probes", "trace"},
    "step": {"tasks", "models", "probes", "training"},
    "reach": set(),
    "export": {"models", "reach"},
    "plots": {"trace"},
    "typed": {"tasks", "export"},
    "explore": {"plots", "typed"},
    "live": {"tasks", "step", "export", "plots", "explore"},
    "verdicts": {"plots", "recordings"},
    "book": {"plots", "explore", "live", "verdicts"},
}


def part_of(path):
    """The part of the library that a file belongs to: seqviz/plots/text.py is of plots."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(source, package):
    """The parts of seqviz that a module of `package` imports, at its top or within a function."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            module = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            first, *rest = name.split(".")
            if first == "seqviz":
                yield rest[0] if rest else "the whole of seqviz"


@pytest.mark.parametrize(
    "source, parts",
    [
        ("import seqviz", ["the whole of seqviz"]),
        ("import seqviz.tasks.text", ["tasks"]),
        ("from seqviz import models, numpy", ["models", "numpy"]),
        ("from seqviz.plots.style import power", ["plots"]),
        ("from .style import power", ["plots"]),
        ("from ..tasks import Order", ["tasks"]),
        ("from .. import tasks", ["tasks"]),
        ("def f():\n    from seqviz.explore import explore", ["explore"]),
        ("import numpy\nfrom torch import nn", []),
    ],
)
def test_every_form_of_import_is_found(source, parts):
    assert list(imported(source, "seqviz.plots")) == parts


FILES = [p for p in sorted(PACKAGE.rglob("*.py")) if p != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    part = part_of(path)
    assert part in ALLOWED, f"seqviz/{part} is new: say in ALLOWED what it may import."
    package = ".".join(path.relative_to(ROOT).parent.parts)
    wrong = set(imported(path.read_text(encoding="utf-8"), package)) - ALLOWED[part] - {part}
    assert not wrong, f"{part} must not import {', '.join(sorted(wrong))}."


def test_the_order_has_no_circle():
    done = set()
    while rest := {part for part in ALLOWED if part not in done}:
        ready = {part for part in rest if ALLOWED[part] <= done}
        assert ready, f"These import one another: {sorted(rest)}."
        done |= ready


def public(module):
    """The public functions, classes and methods that a module defines, by name."""
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(thing):
            yield name, thing
        elif inspect.isclass(thing):
            yield name, thing
            for method_name, method in vars(thing).items():
                method = getattr(method, "fget", None) or getattr(method, "__func__", method)
                if inspect.isfunction(method) and not method_name.startswith("_"):
                    yield f"{name}.{method_name}", method


MODULES = [m.name for m in pkgutil.walk_packages(seqviz.__path__, "seqviz.")]


@pytest.mark.parametrize("name", MODULES)
def test_what_is_public_is_documented_and_annotated(name):
    module = importlib.import_module(name)
    missing = [] if module.__doc__ else [f"{name} has no docstring"]
    for label, thing in public(module):
        # A dataclass without a docstring gets its signature for one.
        made = f"{thing.__name__}("
        if not thing.__doc__ or thing.__doc__.startswith(made):
            missing.append(f"{label} has no docstring")
        if inspect.isclass(thing):
            continue
        signature = inspect.signature(thing)
        arguments = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
        missing += [f"{label}: {p.name} has no type" for p in arguments if p.annotation is p.empty]
        if signature.return_annotation is signature.empty:
            missing.append(f"{label} has no type of what it returns")
    assert not missing, "; ".join(missing)


def test_what_the_package_offers_is_there_and_listed_once():
    assert sorted(set(seqviz.__all__)) == sorted(seqviz.__all__)
    for module in (seqviz, *(importlib.import_module(name) for name in MODULES)):
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{module.__name__} has no {name}."


# Nothing the book shows may come from another host.
HOSTS = (
    "cdn.jsdelivr", "cdnjs.", "unpkg.com", "cdn.plot.ly", "esm.sh", "esm.run", "skypack",
    "fonts.googleapis", "fonts.gstatic", "polyfill.io", "ajax.googleapis", "code.jquery",
)  # fmt: skip


def sources():
    built = PACKAGE / "static"
    for folder in (PACKAGE, ROOT / "chapters"):
        for path in sorted(folder.rglob("*")):
            hidden = "__pycache__" in path.parts or ".ipynb_checkpoints" in path.parts
            if path.is_file() and not path.is_relative_to(built) and not hidden:
                yield path
    yield ROOT / "_config.yml"


def test_no_source_names_a_foreign_host():
    paths = list(sources())
    assert {".py", ".js", ".css", ".ipynb", ".yml"} <= {path.suffix for path in paths}
    for path in paths:
        text = path.read_bytes().decode("utf-8", errors="replace").lower()
        named = [host for host in HOSTS if host in text]
        assert not named, f"{path.relative_to(ROOT)} names {named[0]}."


def test_the_front_end_is_pinned_and_the_lock_agrees():
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    text = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    pins = {**wanted.get("dependencies", {}), **wanted["devDependencies"]}
    for name, version in pins.items():
        assert version[0].isdigit(), f"{name} is not pinned: {version}."
        assert packages[f"node_modules/{name}"]["version"] == version
    locked = {**packages[""].get("dependencies", {}), **packages[""]["devDependencies"]}
    assert locked == pins
    for name, entry in packages.items():
        assert not name or entry["integrity"].startswith("sha512-"), f"{name} has no checksum."


def test_the_lock_leaves_the_registry_to_the_machine():
    # An address in the lock would be asked wherever the book is built, mirrors or none.
    text = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    for entry in json.loads(text)["packages"].values():
        assert "resolved" not in entry
    assert "registry" not in text


def test_every_list_of_packages_agrees():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {Requirement(text).name: Requirement(text) for text in project["dependencies"]}
    for name, requirement in wanted.items():
        assert requirement.specifier.contains(pins[name]), f"{name} {pins[name]} is out of range."
    binder = (ROOT / "environment.yml").read_text(encoding="utf-8")
    in_image = dict(re.findall(r"^ +- ([\w-]+)==([\w.]+)(?:\+cpu)?$", binder, re.MULTILINE))
    assert set(wanted) <= set(in_image)
    assert {name: pins[name] for name in in_image} == in_image
