"""The wheel: built as `make wheel` builds it, and used where there is nothing to build with."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
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
    shutil.copytree(ROOT / "seqviz", source / "seqviz", ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", source]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (built,) = (folder / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_the_library_and_the_built_front_end(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {
            i.filename: i.file_size for i in archive.infolist() if "dist-info" not in i.filename
        }
    files = [*(ROOT / "seqviz").rglob("*.py"), *(ROOT / "seqviz" / "static").rglob("*")]
    wanted = {p.relative_to(ROOT).as_posix(): p.stat().st_size for p in files if p.is_file()}
    assert held == wanted
    assert {"seqviz/static/widget.js", "seqviz/static/plotly.min.js"} <= held.keys()


def test_the_wheel_works_in_a_notebook_without_network_and_node(wheel, tmp_path, monkeypatch):
    venv.create(tmp_path / "empty", with_pip=False)
    (python,) = (tmp_path / "empty").glob("*/python" if sys.platform != "win32" else "*/python.exe")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    # On a path, unlike in an environment of its own, an editable install is not followed: of
    # what is installed here only the packages the wheel declares are found, never this folder.
    search = [tmp_path / "installed", sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    kernel = {
        "display_name": "wheel",
        "language": "python",
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "env": {"PYTHONPATH": os.pathsep.join(map(str, search)), "PATH": ""},
    }
    (tmp_path / "kernels" / "wheel").mkdir(parents=True)
    (tmp_path / "kernels" / "wheel" / "kernel.json").write_text(json.dumps(kernel))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.delenv("SEQVIZ_BOOK", raising=False)
    cells = [nbformat.v4.new_code_cell(text) for text in (CUT, USE, "print(sv.__file__)")]
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=cells), kernel_name="wheel",
        resources={"metadata": {"path": str(tmp_path)}},
    )  # fmt: skip
    client.execute()
    assert str(tmp_path / "installed") in cells[2].outputs[0]["text"]
    (shown,) = cells[1].outputs
    view = shown["data"]["application/vnd.jupyter.widget-view+json"]
    state = client.widget_state[view["model_id"]]
    assert "render" in state["_esm"] and ".sv-" in state["_css"]
    assert state["answer"]["error"] == "" and state["answer"]["figures"][0]["data"]
