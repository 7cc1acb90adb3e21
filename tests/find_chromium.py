"""Finds a Chromium for the page tests, or installs one; as a script it prints the path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> str:
    """The path of a Chromium on this machine, installed now if there is none.

    Looks at the environment variable CHROMIUM, then on PATH, then asks Debian's packages, then
    playwright. Raises `RuntimeError` in one sentence if none of them has one.
    """
    named = os.environ.get("CHROMIUM")
    if named:
        if not shutil.which(named):
            raise RuntimeError(f"The environment variable CHROMIUM names no program: {named}.")
        return shutil.which(named)
    path = _on_path() or _of_playwright() or _from_debian() or _from_playwright()
    if path:
        return path
    raise RuntimeError(
        "There is no Chromium here and none could be installed: install one "
        "(Debian: apt-get install chromium), or set the environment variable CHROMIUM to its path."
    )


def _on_path() -> str | None:
    # A name on PATH may be Ubuntu's stub for a snap that is not there: ask it for its version.
    paths = filter(None, map(shutil.which, NAMES))
    return next((path for path in paths if _run([path, "--version"])), None)


def _from_debian() -> str | None:
    if not shutil.which("apt-get"):
        return None
    root: list[str] = []
    if os.geteuid() != 0:
        root = ["sudo", "--non-interactive"]  # fails at once where sudo would ask for a password
        if not shutil.which("sudo"):
            return None
    _run([*root, "apt-get", "update", "-qq"])
    _run([*root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"])
    return _on_path()


def _of_playwright() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.path.exists(path) else None


def _from_playwright() -> str | None:
    install = [sys.executable, "-m", "playwright", "install", "chromium"]
    _run([*install[:-1], "--with-deps", "chromium"]) or _run(install)
    return _of_playwright()


def _run(command: list[str]) -> bool:
    """Whether a command succeeds; what it says goes to stderr, so that stdout is the path alone."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        return subprocess.run(command, stdout=sys.stderr, env=environment).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    try:
        print(find())
    except RuntimeError as error:
        sys.exit(str(error))
