"""A real Jupyter server for tests and measurements, and notebooks opened in its two front ends."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page

ROOT = Path(__file__).parents[1]
# JupyterLab and Notebook 7. A workspace of its own: Lab reopens what another window had open.
FRONT_ENDS = {"lab": "lab/workspaces/{workspace}/tree", "notebook": "notebooks"}
SETTINGS = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
START = 60  # seconds a server or a kernel may take on a busy machine


@contextmanager
def jupyter(folder: Path) -> Iterator[str]:
    """A server on the notebooks of `folder`, with settings of its own; yields its address."""
    names = ["IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"]
    names += ["JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"]
    own = {name: folder / ".jupyter" / name for name in names}
    settings = own["JUPYTERLAB_SETTINGS_DIR"] / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    # Lab would look for news, and no message may lie over what a test wants to press.
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(SETTINGS))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, **{key: str(path) for key, path in own.items()}}
    environment.pop("SEQVIZ_BOOK", None)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
        "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    log = folder / ".jupyter" / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(server, f"{address}/api/status", log)
            yield address
        finally:
            server.terminate()  # it shuts its kernels down
            server.wait(START)


def _wait_for(server: subprocess.Popen, address: str, log: Path) -> None:
    end = time.monotonic() + START
    while server.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"The Jupyter server did not start:\n{log.read_text()[-2000:]}")


def write_notebook(path: Path, cells: list[str]) -> None:
    """A notebook of code cells, as Jupyter would save it."""
    made = [
        {"cell_type": "code", "id": f"cell-{i}", "metadata": {}, "source": cell,
         "execution_count": None, "outputs": []}
        for i, cell in enumerate(cells)
    ]  # fmt: skip
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {
        "cells": made,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(content), encoding="utf-8")


class Notebook:
    """A notebook open in one of the front ends, and what a reader does with it."""

    def __init__(self, page: Page, address: str, front_end: str, path: str) -> None:
        self.page, self.path = page, path
        self.sessions = f"{address}/api/sessions"
        workspace = re.sub(r"\W", "-", path)
        page.goto(f"{address}/{FRONT_ENDS[front_end].format(workspace=workspace)}/{path}")
        page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=1000 * START)
        self.idle()  # before its kernel is there, a command would be lost

    def menu(self, menu: str, item: str) -> None:
        """Press an item of the menu bar; three dots at its end need not be said."""
        bar = self.page.locator(".lm-MenuBar-item", has_text=re.compile(f"^{menu}$"))
        bar.click()
        self.page.locator(
            ".lm-Menu-item:not(.lm-mod-disabled) .lm-Menu-itemLabel",
            has_text=re.compile(f"^{item}…?$"),
        ).click()

    def run_all(self) -> None:
        """Run every cell; returns at once."""
        self.menu("Run", "Run All Cells")

    def run(self, cell: int) -> None:
        """Run one cell; returns at once."""
        self.cell(cell).locator(".jp-InputArea-editor").first.click()
        self.page.keyboard.press("Control+Enter")

    def idle(self) -> None:
        """Wait until the kernel has nothing to do."""
        end = time.monotonic() + START
        while not self._is_idle():
            if time.monotonic() > end:
                raise TimeoutError(f"The kernel of {self.path} is not idle after {START} s.")
            time.sleep(0.05)

    def _is_idle(self) -> bool:
        with urllib.request.urlopen(self.sessions, timeout=START) as answer:
            kernels = [s["kernel"] for s in json.load(answer) if s["path"] == self.path]
        shown = self.page.locator("[data-status=idle]").count()
        return bool(shown and kernels) and all(
            kernel["execution_state"] == "idle" and kernel["connections"] for kernel in kernels
        )

    def cell(self, number: int) -> Locator:
        """A cell with its output, by its number from 0."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def figure(self, number: int = 0) -> Locator:
        """An explorable of the notebook, by its number from 0."""
        return self.page.locator("figure.sv-figure").nth(number)
