"""`make binder`: what Binder installs and runs, without Docker, in a folder of its own.

The pip part of environment.yml goes into an empty virtual environment, beside the JupyterLab that
repo2docker brings; postBuild runs in a copy of what git would clone; then `chapters.py` runs every
chapter on a server there. Not a part of `make test`: it installs a gigabyte.
"""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORK = ROOT / "_build" / "binder"
SERVER = ["jupyterlab>=4,<5", "notebook>=7,<8"]  # in every image of repo2docker


def pip_part(text: str) -> list[str]:
    """The lines of the pip part of an environment file, as pip reads them."""
    lines = text.split("- pip:\n", 1)[1].splitlines()
    return [m[1] for line in lines if (m := re.fullmatch(r" +- (.+?)(?: +#.*)?", line))]


def clone(book: Path) -> None:
    """Copy what git knows, as it is now, and nothing that was built."""
    files = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    for name in filter(None, files.split("\0")):
        target = book / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)


def main() -> int:
    """Install, build, run; 1 if a chapter fails or takes more memory than it may."""
    shutil.rmtree(WORK, ignore_errors=True)
    book, environment = WORK / "book", WORK / "environment"
    clone(book)
    print("==> Installing the pip part of environment.yml", flush=True)
    venv.create(environment, with_pip=True)
    wanted = WORK / "requirements.txt"
    wanted.write_text("\n".join(pip_part((book / "environment.yml").read_text("utf-8"))) + "\n")
    python = environment / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--retries", "0"]
    subprocess.run([*pip, "-r", wanted], check=True)
    subprocess.run([*pip, "-c", book / "constraints.txt", *SERVER], check=True)
    path = f"{environment / 'bin'}{os.pathsep}{os.defpath}"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SEQVIZ"))}
    clean |= {"PATH": path, "VIRTUAL_ENV": str(environment)}
    print("==> postBuild", flush=True)
    subprocess.run(["./postBuild"], cwd=book, env=clean, check=True)
    print("==> Running every chapter on a server", flush=True)
    chapters = [python, book / "tests" / "binder" / "chapters.py"]
    return subprocess.run(chapters, cwd=book, env=clean).returncode


if __name__ == "__main__":
    sys.exit(main())
