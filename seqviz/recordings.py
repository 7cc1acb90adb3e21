"""What was recorded for the book: its runs and its claims, from a clone or an installed wheel."""

from pathlib import Path

from seqviz.trace import Trace

PACKAGE = Path(__file__).parent
RUNS = PACKAGE.parent / "results"
# The two of a clone; then that of a wheel, where setup.py puts what both hold.
FOLDERS = (RUNS, PACKAGE.parent / "chapters", PACKAGE / "recorded")


def recorded_file(name: str) -> Path:
    """The file of this name, such as `dates.npz` or `claims.json`; in a clone that of the clone.

    Raises FileNotFoundError if it is missing, with the command that makes it.
    """
    for folder in FOLDERS:
        if (folder / name).is_file():
            return folder / name
    for script in sorted(RUNS.glob("*.py")):
        if f"{Path(name).stem}-".startswith(f"{script.stem}-"):
            raise FileNotFoundError(
                f"There is no results/{name}: `python results/{script.name}` makes it."
            )
    names = sorted(path.name for folder in FOLDERS for path in folder.glob("*.npz"))
    raise FileNotFoundError(f"{name!r} was not recorded, only {', '.join(names) or 'nothing'}.")


def recording(name: str) -> Trace:
    """A run that was recorded for the book, by the name of its file, such as `adding-50`.

    Raises FileNotFoundError if it is missing, with the command that makes it; ValueError if its
    file is damaged.
    """
    return Trace.load(recorded_file(f"{name}.npz"))
