"""The wheel: built as `make wheel` builds it, and used where there is nothing to build with."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
import venv
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

from chapters.first_cell import first_cell

ROOT = Path(__file__).parents[1]
VIEW = "application/vnd.jupyter.widget-view+json"
CUT = """
import sys

def cut(event, arguments):
    if event in ("socket.getaddrinfo", "socket.connect", "subprocess.Popen"):
        raise OSError(f"{event} {arguments}: no network and no other program here.")

sys.addaudithook(cut)
"""
USE = """
import seqviz as sv
import torch

def gradient(spectral_radius):
    model = sv.models.RNN(2, 8, 1, spectral_radius=spectral_radius)
    batch = sv.tasks.Adding(10).batch(2, seed=0)
    loss = sv.tasks.Adding(10).loss
    probe = sv.probes.state_gradients(model, batch.inputs, batch.targets, loss)
    return sv.plots.gradient_by_lag({"rnn": probe.state_grad_norm.numpy()})

sv.explore(gradient, name="gradient", caption="A gradient.", spectral_radius=sv.Slider([0.5, 1], 1))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("seqviz", "results", "chapters"):
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", source]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (built,) = (folder / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_the_library_the_built_front_end_and_the_recordings(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {
            i.filename: i.file_size for i in archive.infolist() if "dist-info" not in i.filename
        }
    files = [*(ROOT / "seqviz").rglob("*.py"), *(ROOT / "seqviz" / "static").rglob("*")]
    wanted = {p.relative_to(ROOT).as_posix(): p.stat().st_size for p in files if p.is_file()}
    recorded = [*(ROOT / "results").glob("*.npz"), ROOT / "chapters" / "claims.json"]
    wanted |= {f"seqviz/recorded/{p.name}": p.stat().st_size for p in recorded}
    assert held == wanted
    assert {"seqviz/static/widget.js", "seqviz/static/plotly.min.js"} <= held.keys()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a notebook in an empty folder, with the Python of an empty environment."""
    venv.create(tmp_path / "empty", with_pip=False)
    (python,) = (tmp_path / "empty").glob("*/python" if sys.platform != "win32" else "*/python.exe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "kernels" / "empty").mkdir(parents=True)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.delenv("SEQVIZ_BOOK", raising=False)

    def run(notebook, search, **variables):
        kernel = {
            "display_name": "empty",
            "language": "python",
            "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "env": {"PYTHONPATH": os.pathsep.join(map(str, search)), **variables},
        }
        (tmp_path / "kernels" / "empty" / "kernel.json").write_text(json.dumps(kernel))
        folder = {"metadata": {"path": str(tmp_path / "folder")}}
        client = NotebookClient(notebook, kernel_name="empty", resources=folder, timeout=180)
        client.execute()
        return client

    return run


def test_the_wheel_works_in_a_notebook_without_network_and_node(wheel, run, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    # On a path, unlike in an environment of its own, an editable install is not followed: of
    # what is installed here only the packages the wheel declares are found, never this folder.
    search = [tmp_path / "installed", sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    texts = (CUT, first_cell(), USE, "print(sv.__file__)")
    cells = [nbformat.v4.new_code_cell(text) for text in texts]
    client = run(nbformat.v4.new_notebook(cells=cells), search, PATH="")
    assert str(tmp_path / "installed") in cells[3].outputs[0]["text"]
    assert cells[1].outputs == [], "Where the library is, the first cell does nothing."
    (shown,) = cells[2].outputs
    state = client.widget_state[shown["data"][VIEW]["model_id"]]
    assert "render" in state["_esm"] and ".sv-" in state["_css"]
    assert state["answer"]["error"] == "" and state["answer"]["figures"][0]["data"]


@pytest.fixture
def releases(wheel, tmp_path):
    """The address of a repository whose releases hold the wheel, and what was asked of it."""
    version = wheel.name.split("-")[1]
    folder = tmp_path / "site" / "releases" / "download" / f"v{version}"
    folder.mkdir(parents=True)
    shutil.copy(wheel, folder)
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, _text, *arguments):
            asked.append(arguments)

    handler = partial(Handler, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.fixture
def packages(tmp_path):
    """All that is installed here, but for the library and bertviz; the latter as a wheel again."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for path in Path(folder).iterdir():
            if "seqviz" not in path.name and "bertviz" not in path.name:
                (packages / path.name).symlink_to(path)
    bertviz = distribution("bertviz")
    with zipfile.ZipFile(tmp_path / f"bertviz-{bertviz.version}-py3-none-any.whl", "w") as archive:
        for file in bertviz.files:
            if "__pycache__" not in file.parts:
                archive.write(file.locate(), file.as_posix())
    return packages


@pytest.mark.parametrize("name", ["opening", "transformer"])
def test_a_chapter_alone_in_a_folder_installs_the_library_and_runs(
    releases, packages, run, tmp_path, name
):
    address, asked = releases
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    text = (ROOT / "chapters" / f"{name}.ipynb").read_text(encoding="utf-8")
    assert text.count(config["repository"]["url"]) == 1
    notebook = nbformat.reads(text.replace(config["repository"]["url"], address), as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("print(sv.__file__)"))
    client = run(
        notebook, [packages], PATH=os.defpath, NO_PROXY="127.0.0.1",
        PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path),
    )  # fmt: skip
    assert asked and str(tmp_path / "empty") in notebook.cells[-1].outputs[0]["text"]
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    # What a display raises is printed, and the notebook goes on.
    assert "Traceback" not in "".join(output.get("text", "") for output in shown)
    bundles = [output.get("data", {}) for output in shown]
    views = [client.widget_state[bundle[VIEW]["model_id"]] for bundle in bundles if VIEW in bundle]
    answers = [view["answer"] for view in views if "answer" in view]  # a progress bar has none
    code = "".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert len(answers) == code.count("sv.explore(") > 0
    assert all(a["error"] == "" and a["figures"][0]["data"] for a in answers)
