"""The data folder: one process at a time, files for their owner only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from longwire.core.errors import Misconfigured
from longwire.storage.data_folder import open_data_folder, write_private_file

HOLD = """
import sys, pathlib
from longwire.storage.data_folder import open_data_folder
with open_data_folder(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_made_and_locked_until_its_lock_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"

    with open_data_folder(folder), pytest.raises(Misconfigured, match=f"PID {os.getpid()}"):
        open_data_folder(folder)

    with open_data_folder(folder) as lock:
        lock.seek(0)
        assert lock.read() == str(os.getpid())


def test_a_folder_of_another_process_is_refused_with_its_pid_and_is_free_when_it_was_killed(
    tmp_path: Path,
) -> None:  # FL-17
    program = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"

        with pytest.raises(Misconfigured, match=rf"PID {other.pid}\) uses the data folder") as error:
            open_data_folder(tmp_path)
        assert "LONGWIRE_DATA" in str(error.value)
        other.kill()

    open_data_folder(tmp_path).close()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(Misconfigured, match=r"the data folder .*file/data cannot be used: Not a directory"):
        open_data_folder(tmp_path / "file" / "data")


def test_a_private_file_is_its_owners_only_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "owner.key"
    path.write_text("old")
    path.chmod(0o644)
    (tmp_path / "owner.key.partial").write_text("what a crash left")

    write_private_file(path, "new")

    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["owner.key"]


def test_a_folder_that_is_made_is_durable_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, synced = os.fsync, []

    def watched(descriptor: int) -> None:
        sync(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", watched)
    open_data_folder(tmp_path / "deep" / "data").close()
    assert synced == [tmp_path / "deep", tmp_path]

    open_data_folder(tmp_path / "deep" / "data").close()
    assert synced == [tmp_path / "deep", tmp_path]


def test_a_private_file_is_durable_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.key"
    sync, synced = os.fsync, []

    def watched(descriptor: int) -> None:
        sync(descriptor)
        what = "folder" if os.path.samestat(os.fstat(descriptor), tmp_path.stat()) else "file"
        synced.append((what, path.exists()))

    monkeypatch.setattr(os, "fsync", watched)
    write_private_file(path, "new")

    assert synced == [("file", False), ("folder", True)]
