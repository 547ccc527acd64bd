"""The one writer: batches, a change that fails alone, a disk that refuses, and that nothing is told before fsync."""

import asyncio
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql

from longwire.core.errors import StorageUnavailable
from longwire.storage.database import (
    _LIBRARY,
    COMMITS_BEFORE_CHECKPOINT,
    MAX_BATCH,
    MAX_WAITING,
    Database,
)
from longwire.storage.schema import setting

ROOT = Path(__file__).parents[2]


def adding(name: str, value: str = "x") -> Callable[[Sql], object]:
    return lambda sql: sql.execute(sa.insert(setting).values(name=name, value=value)).rowcount


def failing(name: str) -> Callable[[Sql], object]:
    """Return a change that writes something and then raises."""

    def change(sql: Sql) -> None:
        adding(name)(sql)
        raise KeyError(name)

    return change


async def names(database: Database) -> set[str]:
    return await database.read(lambda sql: set(sql.scalars(sa.select(setting.c.name))))


async def pragma(database: Database, name: str) -> object:
    """Return what the writer's connection says."""
    return await database.write(lambda sql: sql.exec_driver_sql(f"PRAGMA {name}").scalar())


@pytest.fixture
def busy_writer(database: Database) -> Iterator[threading.Event]:
    """Keep the writer busy until the event is set, so that what is submitted meanwhile shares a batch."""
    go_on = threading.Event()
    database.write(lambda _sql: go_on.wait(30))
    yield go_on
    go_on.set()


# Batches


async def test_a_change_gives_its_result_once_it_can_be_read(database: Database) -> None:
    assert await database.write(adding("a")) == 1
    assert await names(database) == {"a"}


async def test_a_change_that_raises_fails_alone_and_leaves_nothing(
    database: Database, busy_writer: threading.Event
) -> None:
    changes = [adding("a"), failing("b"), adding("a"), adding("c"), failing("d"), adding("e")]
    answers = asyncio.gather(*map(database.write, changes), return_exceptions=True)
    busy_writer.set()

    told = [type(answer) for answer in await answers]

    assert told == [int, KeyError, sa.exc.IntegrityError, int, KeyError, int]
    assert await names(database) == {"a", "c", "e"}


async def test_a_caller_that_goes_away_does_not_disturb_the_batch(
    database: Database, busy_writer: threading.Event
) -> None:
    writes = [database.write(adding(name)) for name in "abc"]
    writes[1].cancel()
    busy_writer.set()

    assert [await writes[0], await writes[2]] == [1, 1]
    assert await names(database) == {"a", "b", "c"}


async def test_what_follows_from_a_write_is_done_even_when_nobody_waits_for_it_any_more(
    database: Database, busy_writer: threading.Event
) -> None:
    done: list[object] = []

    def one_by_one(_sql: Sql, items: Sequence[int]) -> list[float]:
        return [1 / item for item in items]

    writes = [database.submit(one_by_one, item, done.append) for item in (1, 2, 0, 4)]
    writes[1].cancel()
    busy_writer.set()

    answers = await asyncio.gather(*writes, return_exceptions=True)

    assert [type(answer) for answer in answers] == [
        float,
        asyncio.CancelledError,
        ZeroDivisionError,
        float,
    ]
    assert done == [1, 0.5, 0.25]


async def test_more_than_one_batch_is_written_in_order(
    database: Database, busy_writer: threading.Event
) -> None:
    seen: list[int] = []
    writes = [
        database.write(lambda _sql, number=number: seen.append(number))  # type: ignore[misc]
        for number in range(2 * MAX_BATCH + 10)
    ]
    busy_writer.set()

    await asyncio.gather(*writes)

    assert seen == list(range(2 * MAX_BATCH + 10))


async def test_patient_writes_are_gathered_until_somebody_comes_who_does_not_want_to_wait(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def count(_sql: Sql, items: Sequence[int]) -> list[None]:
        sizes.append(len(items))
        return [None] * len(items)

    await database.write(adding("before"))
    monkeypatch.setattr(database, "_rest_s", 60.0)
    patient = [database.submit(count, 1, is_patient=True)]
    await asyncio.sleep(0.05)
    patient.append(database.submit(count, 2, is_patient=True))
    assert not sizes

    await database.submit(count, 3)

    assert sizes == [3]
    await asyncio.gather(*patient)


async def test_patient_writes_wait_longer_where_others_come_often(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longwire.storage.database.OFTEN_S", 60.0)
    monkeypatch.setattr("longwire.storage.database.REST_BESIDE_OTHERS_S", 60.0)
    await database.write(adding("other"))
    patient = database.submit(lambda _sql, items: items, 1, is_patient=True)
    await asyncio.sleep(0.05)
    assert not patient.done()

    await database.write(adding("another"))

    assert await patient == 1


async def test_when_too_much_waits_for_the_disk_the_next_is_told_at_once(
    database: Database, busy_writer: threading.Event
) -> None:
    writes = [database.write(lambda _sql: None) for _ in range(MAX_WAITING - 1)]

    with pytest.raises(StorageUnavailable, match="too much waits"):
        database.write(adding("a"))
    busy_writer.set()

    await asyncio.gather(*writes)
    assert await database.write(adding("b")) == 1
    assert await names(database) == {"b"}


async def test_what_was_submitted_is_written_before_the_end(tmp_path: Path) -> None:
    database = Database(tmp_path / "longwire.db")
    database.start()
    writes = [database.write(adding(str(number))) for number in range(10)]
    await database.close()

    assert [await write for write in writes] == [1] * 10
    again = Database(tmp_path / "longwire.db")
    again.start()
    assert await names(again) == {str(number) for number in range(10)}
    await again.close()


async def test_what_is_submitted_after_the_end_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "longwire.db")
    database.start()
    await database.close()

    with pytest.raises(StorageUnavailable, match="stopping"):
        await database.write(adding("a"))


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StorageUnavailable, match="readonly"):
        await database.read(adding("a"))


# A disk that refuses


async def test_while_another_process_locks_the_file_writes_are_refused_and_go_on_by_themselves(
    database: Database, tmp_path: Path
) -> None:
    await pragma(database, "busy_timeout=50")
    # With the same library: two copies of SQLite in one process undo each other's locks.
    with closing(_LIBRARY.connect(tmp_path / "longwire.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for answer in await asyncio.gather(
            *(database.write(adding(name)) for name in "abc"), return_exceptions=True
        ):
            assert isinstance(answer, StorageUnavailable)
            assert "locked" in str(answer)
        assert await names(database) == set()
        other.execute("ROLLBACK")

    assert await database.write(adding("a")) == 1
    assert await names(database) == {"a"}


async def test_while_the_disk_is_full_writes_are_refused_and_go_on_by_themselves(database: Database) -> None:
    pages = await pragma(database, "page_count")
    await pragma(database, f"max_page_count={pages}")

    with pytest.raises(StorageUnavailable, match="full"):
        await database.write(adding("a", "x" * 100_000))
    assert await names(database) == set()
    assert await database.write(adding("small")) == 1

    await pragma(database, "max_page_count=1000000")
    assert await database.write(adding("a", "x" * 100_000)) == 1
    assert await names(database) == {"a", "small"}


async def test_when_the_file_is_broken_whoever_waits_is_told(database: Database, tmp_path: Path) -> None:
    await database.write(lambda sql: sql.exec_driver_sql("PRAGMA cache_size=0"))
    await database.write(adding("a"))
    for file in (tmp_path / "longwire.db", tmp_path / "longwire.db-wal"):
        file.write_bytes(b"\xa5" * file.stat().st_size)

    for _ in range(3):
        async with asyncio.timeout(10):
            with pytest.raises(StorageUnavailable):
                await database.write(adding("b"))
            with pytest.raises(StorageUnavailable):
                await names(database)


# The log


async def test_the_log_is_copied_into_the_file_when_nobody_waits(database: Database, tmp_path: Path) -> None:
    async def names_in_the_file_alone() -> set[str]:
        await asyncio.to_thread(shutil.copy, tmp_path / "longwire.db", tmp_path / "alone.db")
        # A copy made while the log is being copied is half old, half new.
        with closing(_LIBRARY.connect(tmp_path / "alone.db")) as alone, suppress(_LIBRARY.DatabaseError):
            tables = alone.execute("SELECT 1 FROM sqlite_master WHERE name = 'setting'").fetchall()
            return {name for (name,) in alone.execute("SELECT name FROM setting")} if tables else set()
        return set()

    for number in range(COMMITS_BEFORE_CHECKPOINT - 1):
        await database.write(adding(f"n{number}"))
    assert await names_in_the_file_alone() == set()

    await database.write(adding("last"))
    async with asyncio.timeout(10):
        while "last" not in await names_in_the_file_alone():  # noqa: ASYNC110 (told by nobody)
            await asyncio.sleep(0.01)


async def test_a_log_that_cannot_be_copied_now_stops_nothing(database: Database) -> None:
    def refuse(_action: int, name: str | None, *_: str | None) -> int:
        return int(_LIBRARY.SQLITE_DENY if name == "wal_checkpoint" else _LIBRARY.SQLITE_OK)

    await database.write(lambda sql: sql.connection.driver_connection.set_authorizer(refuse))  # type: ignore[union-attr]
    for number in range(2 * COMMITS_BEFORE_CHECKPOINT):
        assert await database.write(adding(f"n{number}")) == 1


# Durable before it is told


async def test_the_writer_syncs_every_commit_and_readers_only_read(database: Database) -> None:
    assert await pragma(database, "synchronous") == 2  # FULL
    assert await pragma(database, "journal_mode") == "wal"
    assert await database.read(lambda sql: sql.exec_driver_sql("PRAGMA query_only").scalar()) == 1


async def test_an_answer_is_given_only_after_the_commit_was_synced(tmp_path: Path) -> None:
    """Watch the system calls of a process that puts messages; where there is no strace, trust `synchronous`."""
    strace = shutil.which("strace")
    if strace is None:
        return
    trace = tmp_path / "trace"
    watched = [strace, "-f", "-y", "-e", "trace=pwrite64,fdatasync,fsync,write", "-o", str(trace)]
    program = [sys.executable, "-m", "tests.storage.put_and_tell", str(tmp_path)]
    child = await asyncio.create_subprocess_exec(*watched, *program, cwd=ROOT)

    assert await child.wait() == 0
    events = "".join(_events(trace.read_text()))
    assert events.count("A") == 5
    assert re.fullmatch(r"[WS]*(W+S+A){5}[WS]*", events), events


def _events(trace: str) -> Iterator[str]:
    """Yield W for a write to the log of the database, S for its sync, A for an answer."""
    for line in trace.splitlines():
        if "longwire.db-wal>" in line and "pwrite64(" in line:
            yield "W"
        elif "longwire.db-wal>" in line and "sync(" in line:
            yield "S"
        elif '"durable' in line:
            yield "A"
