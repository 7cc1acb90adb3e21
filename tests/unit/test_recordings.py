import json
import shutil

import pytest

import seqviz as sv
from seqviz import recordings
from seqviz.recordings import FOLDERS, RUNS, recorded_file

NAMES = sorted(path.stem for path in RUNS.glob("*.npz"))
CLONE, INSTALLED = FOLDERS[:2], FOLDERS[2]


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_run_is_read_from_anywhere(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(sv.recording(name).arrays) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_run_says_the_command_that_makes_it(name, tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "FOLDERS", (tmp_path,))
    with pytest.raises(FileNotFoundError, match=r"`python results/[\w-]+\.py` makes it\.$") as said:
        sv.recording(name)
    script = str(said.value).split("`")[1].split()[1]
    assert f"{name}.npz" in str(said.value) and (RUNS.parent / script).is_file()


def test_a_run_that_never_was_is_answered_with_those_that_were():
    with pytest.raises(FileNotFoundError, match=r"^'walk\.npz' was not recorded, only adding-10"):
        sv.recording("walk")


def test_a_wheel_is_read_where_there_is_no_clone(tmp_path, monkeypatch):
    entry = {"name": "a", "text": "b", "who": "B", "chapter": "c"}
    (tmp_path / "claims.json").write_text(json.dumps([entry]), encoding="utf-8")
    shutil.copy(RUNS / "dates.npz", tmp_path)
    none = tuple(tmp_path / folder.name for folder in CLONE)
    monkeypatch.setattr(recordings, "RUNS", none[0])
    monkeypatch.setattr(recordings, "FOLDERS", (*none, tmp_path))
    assert sv.recording("dates").arrays.keys() == sv.Trace.load(RUNS / "dates.npz").arrays.keys()
    assert 'data-claim="a"' in sv.claims_table()._repr_html_()
    with pytest.raises(FileNotFoundError, match=r"was not recorded, only dates\.npz\.$"):
        sv.recording("lengths")


def test_a_clone_reads_its_own_files_and_holds_no_copy():
    assert not INSTALLED.exists(), "The recordings have one place: results."
    assert recorded_file("claims.json") == CLONE[1] / "claims.json"
