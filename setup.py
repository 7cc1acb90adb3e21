"""Puts what was recorded for the book, its runs and its claims, into the wheel of the library."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

RECORDED = ("results/*.npz", "chapters/claims.json")


def recorded() -> list[str]:
    """The files that are recorded, from the folder of this one."""
    return sorted(str(path) for pattern in RECORDED for path in Path().glob(pattern))


class WithRecorded(build_py):
    """The usual step; then a copy of what is recorded, which an editable install does not need."""

    def run(self) -> None:
        """Copy the library, then what is recorded."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "seqviz", "recorded")
        self.mkpath(str(target))
        for path in recorded():
            self.copy_file(path, str(target))

    def get_source_files(self) -> list[str]:
        """What the source distribution holds of them: a wheel is built from it."""
        return [*super().get_source_files(), *recorded()]


setup(cmdclass={"build_py": WithRecorded})
