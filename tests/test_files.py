"""A folder that appears whole: what goes wrong while it is filled, and what a killed process left, are not in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dcgan.errors import DcganError
from dcgan.files import TEMPORARY, filled_folder, make_folder, whole_folder, write_atomic


def test_a_folder_appears_when_it_is_complete_and_not_before(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    with whole_folder(out) as making:
        (making / "a").write_text("a")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["a"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("trouble", [ValueError("a bug"), KeyboardInterrupt()])
def test_whatever_goes_wrong_leaves_nothing(tmp_path: Path, trouble: BaseException) -> None:
    out = tmp_path / "out"
    with pytest.raises(type(trouble)), whole_folder(out) as making:
        (making / "half").write_text("half")
        raise trouble
    assert list(tmp_path.iterdir()) == []


def test_what_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(DcganError, match=r"cannot write .*out: No space left"),
        whole_folder(tmp_path / "out"),
    ):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_names_the_folder_as_it_is_to_be_called(tmp_path: Path) -> None:
    with (
        pytest.raises(DcganError, match=r"cannot write \S*/out/no/table.csv: No such file") as caught,
        whole_folder(tmp_path / "out") as making,
    ):
        write_atomic(making / "no" / "table.csv", "")
    assert TEMPORARY not in str(caught.value)


def test_a_folder_that_is_made_for_nothing_is_removed_again(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    with pytest.raises(KeyboardInterrupt), filled_folder(kept / "deep" / "out"):
        raise KeyboardInterrupt
    assert list(kept.iterdir()) == [], "and what was there stays"
    with filled_folder(kept / "deep" / "out") as folder:
        (folder / "page").write_text("all")
    assert (kept / "deep" / "out" / "page").read_text() == "all"


def test_a_folder_that_may_not_be_written_is_told_when_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dcgan.files.os.access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(DcganError, match=r"cannot write \S*: Permission denied. Choose another folder"):
        make_folder(tmp_path)


def test_what_a_killed_process_left_does_not_get_in(tmp_path: Path) -> None:
    left = tmp_path / f"{TEMPORARY}out"
    left.mkdir()
    (left / "stale").write_text("stale")
    (tmp_path / "out").mkdir()
    with whole_folder(tmp_path / "out") as making:
        (making / "new").write_text("new")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"]
