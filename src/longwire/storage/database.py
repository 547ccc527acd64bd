"""The database: one thread that writes, with group commit, and short readers beside it.

Everything that is written goes through the one writer. What arrives while a commit runs shares the next one; no
artificial wait. A future resolves only when its batch is committed and synced to disk (`synchronous=FULL`).
"""

import asyncio
import sqlite3
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.engine import Connection, Engine

from longwire import log
from longwire.clock import stopwatch
from longwire.core.errors import StorageUnavailable
from longwire.storage.migrations import upgrade

try:  # the wheel's SQLite is newer and has no WAL-reset bug; where there is no wheel, the standard library's
    import pysqlite3.dbapi2 as sqlite_library
except ImportError:
    sqlite_library = sqlite3

T = TypeVar("T")

_LIBRARY: ModuleType = sqlite_library

MAX_BATCH = 256
MAX_WAITING = 20_000
READERS = 2
# The writer gives the interpreter away at each statement; Python's 5 ms are what it then waits for a busy event loop
# to give it back, a dozen times for each commit.
SWITCH_INTERVAL_S = 0.0005
LONGEST_REST_S = 0.02
# Where others come at least this often, whoever is patient waits for one of them instead of having a commit alone.
OFTEN_S = 0.1
REST_BESIDE_OTHERS_S = 0.01
# After so many commits the log is copied into the file at the first moment when nobody waits; a writer that never rests
# does it within a commit, which then takes three times as long (`wal_autocheckpoint`).
COMMITS_BEFORE_CHECKPOINT = 50
CACHED_STATEMENTS = 1024  # more than `rows` makes of the statements with many rows

Handler = Callable[[Connection, Sequence[Any]], Sequence[Any]]


class _Write(msgspec.Struct, frozen=True):
    """One item for a handler, who waits for its result, and what follows from it even when nobody waits any more."""

    handler: Handler
    item: Any
    future: asyncio.Future[Any]
    then: Callable[[Any], None] | None
    is_patient: bool


class _Result(msgspec.Struct, frozen=True):
    """What to tell whom, once the batch is on disk."""

    write: _Write
    value: Any = None
    error: Exception | None = None


class Database:
    """One SQLite file, opened by `start` in a running event loop and closed by `close`."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is opened yet."""
        self._path = path
        self._inbox: deque[_Write] = deque()
        self._is_urgent = False
        self._bell = threading.Lock()
        self._bell.acquire()
        self._waiting = 0
        self._is_closed = False
        self._rest_s = 0.0
        # How many batches were written: while it stays, nobody can read anything new.
        self.commits = 0
        self._since_urgent = stopwatch()
        # Told of each batch, in the event loop: how many seconds it took, and why it could not be written.
        self.on_commit: Callable[[float, str | None], None] = lambda _seconds, _cause: None
        self._writer_engine = _engine(path, "BEGIN IMMEDIATE", _WRITER_PRAGMAS)
        self._reader_engine = _engine(path, "BEGIN", _READER_PRAGMAS)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._writer = threading.Thread(target=self._write_until_closed, name="writer", daemon=True)

    def start(self) -> None:
        """Bring the schema up to date and start the writer; the running loop gets the results."""
        self._loop = asyncio.get_running_loop()
        with self._writer_engine.connect() as connection:
            upgrade(connection)
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        log.info(log.STORAGE_OPENED, sqlite=_LIBRARY.sqlite_version, path=str(self._path))
        self._writer.start()

    async def close(self) -> None:
        """Write what was submitted, then close the file; what is submitted later is refused."""
        self._is_closed = True
        self._ring()
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown()
        self._reader_engine.dispose()
        self._writer_engine.dispose()

    @property
    def waiting(self) -> int:
        """Return how many writes wait for a commit."""
        return self._waiting

    def file_sizes(self) -> tuple[int, int]:
        """Return the bytes of the database and of its write-ahead log."""
        paths = (self._path, self._path.with_name(f"{self._path.name}-wal"))
        return tuple(path.stat().st_size if path.exists() else 0 for path in paths)  # type: ignore[return-value]

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Return what a query finds in one short snapshot of what is committed."""
        return await self._loop.run_in_executor(self._readers, self._read, query)

    def write(self, change: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Return the future of a change: resolved with its result once it is durable, or with what it raised.

        The change may run twice (see `_commit`), so it must do nothing but write to the connection it is given.
        """
        return self.submit(_run_changes, change)

    def submit(
        self,
        handler: Handler,
        item: Any,
        then: Callable[[Any], None] | None = None,
        *,
        is_patient: bool = False,
    ) -> asyncio.Future[Any]:
        """Return the future of an item that its handler writes together with others of the same batch.

        `then` is called with the result, in the event loop, also when the future was cancelled meanwhile. A patient
        item may wait a little for others, as long as nothing else is submitted (see `_next_batch`).
        Raises StorageUnavailable at once when too much waits already, and after `close`.
        """
        if self._is_closed:
            raise StorageUnavailable("the store is closed; Longwire is stopping")
        if self._waiting >= MAX_WAITING:
            raise StorageUnavailable("too much waits for the disk; try again later")
        self._waiting += 1
        future: asyncio.Future[Any] = self._loop.create_future()
        self._inbox.append(_Write(handler, item, future, then, is_patient))
        if not is_patient:
            self._is_urgent = True
        # A patient item that joins others wakes nobody: what that costs both threads is more than the item.
        if not is_patient or len(self._inbox) in {1, MAX_BATCH}:
            self._ring()
        return future

    def _ring(self) -> None:
        """Wake the writer; it looks at what waits after each ring, and before it sleeps."""
        if self._bell.locked():
            self._bell.release()

    def _read(self, query: Callable[[Connection], T]) -> T:
        try:
            with self._reader_engine.begin() as connection:
                return query(connection)
        except sa.exc.DatabaseError as error:
            raise StorageUnavailable(f"the store cannot read: {error.orig}") from error

    def _write_until_closed(self) -> None:
        with self._writer_engine.connect() as connection:
            commits = 0
            while batch := self._next_batch():
                passed = stopwatch()
                results = self._commit(connection, batch)
                self._rest_s = min(passed(), LONGEST_REST_S)
                self._loop.call_soon_threadsafe(self._resolve, results, passed())
                commits += 1
                if commits >= COMMITS_BEFORE_CHECKPOINT and not self._inbox:
                    commits = 0
                    _checkpoint(connection)

    def _next_batch(self) -> list[_Write]:
        """Return what waits, at least one item; nothing once the database is closed and everything is written.

        As long as only patient items wait, the writer rests for as long as its last commit took, or a little longer
        where somebody who does not want to wait is likely to come. So it is free at least half of the time when
        somebody does, however fast a backlog is worked off.
        """
        while not (self._inbox or self._is_closed):
            self._bell.acquire()
        rested = stopwatch()
        while not self._is_to_be_written and (rest_s := self._patience_s() - rested()) > 0:
            self._bell.acquire(timeout=rest_s)
        if self._is_urgent:
            self._since_urgent = stopwatch()
        # Before anything is taken: who comes meanwhile says so again.
        self._is_urgent = False
        batch = [self._inbox.popleft() for _ in range(min(len(self._inbox), MAX_BATCH))]
        if self._inbox:
            self._is_urgent = True
        return batch

    @property
    def _is_to_be_written(self) -> bool:
        """Return whether what waits is to be written at once."""
        return self._is_urgent or self._is_closed or len(self._inbox) >= MAX_BATCH

    def _patience_s(self) -> float:
        is_beside_others = self._since_urgent() < OFTEN_S
        return max(self._rest_s, REST_BESIDE_OTHERS_S) if is_beside_others else self._rest_s

    def _commit(self, connection: Connection, batch: list[_Write]) -> list[_Result]:
        """Write a batch in one transaction; all of it fails together when the disk refuses.

        When a write of the batch raises, the batch is begun again, each write by itself, so that it fails alone.
        """
        try:
            try:
                with connection.begin():
                    return [
                        result for group in _by_handler(batch) for result in _run_group(connection, group)
                    ]
            except sa.exc.OperationalError:
                raise
            except Exception:  # noqa: BLE001 - found and told by `_run_alone`
                with connection.begin():
                    return [_run_alone(connection, write) for write in batch]
        except Exception as error:  # noqa: BLE001 - the writer lives on whatever it is; who waits is told
            cause = str(getattr(error, "orig", error))
            unavailable = StorageUnavailable(f"the store cannot write: {cause}")
            log.warning(log.STORAGE_COMMIT_FAILED, error=cause, writes=len(batch))
            return [_Result(write, error=unavailable) for write in batch]

    def _resolve(self, results: list[_Result], seconds: float) -> None:
        """Tell each who waits; one that has gone (cancelled) must not disturb the others."""
        self._waiting -= len(results)
        self.commits += 1
        error = results[0].error
        self.on_commit(seconds, str(error) if isinstance(error, StorageUnavailable) else None)
        for result in results:
            if result.write.future.done():
                continue
            if result.error is not None:
                result.write.future.set_exception(result.error)
            else:
                result.write.future.set_result(result.value)
        for result in results:
            if result.write.then is not None and result.error is None:
                result.write.then(result.value)


def _checkpoint(connection: Connection) -> None:
    """Copy the log into the file, outside any transaction; what fails is done by the next one."""
    driver: Any = connection.connection.driver_connection
    with suppress(_LIBRARY.Error):
        driver.execute("PRAGMA wal_checkpoint(PASSIVE)").close()


def _by_handler(batch: list[_Write]) -> Iterable[list[_Write]]:
    groups: dict[Handler, list[_Write]] = {}
    for write in batch:
        groups.setdefault(write.handler, []).append(write)
    return groups.values()


def _run_group(connection: Connection, group: list[_Write]) -> list[_Result]:
    values = group[0].handler(connection, [write.item for write in group])
    return [_Result(write, value) for write, value in zip(group, values, strict=True)]


def _run_alone(connection: Connection, write: _Write) -> _Result:
    try:
        with connection.begin_nested():
            return _run_group(connection, [write])[0]
    except sa.exc.OperationalError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a change raises belongs to who asked for it
        return _Result(write, error=error)


def _run_changes(connection: Connection, changes: Sequence[Callable[[Connection], Any]]) -> list[Any]:
    return [change(connection) for change in changes]


_COMMON_PRAGMAS = ("busy_timeout=5000", "temp_store=MEMORY")
_WRITER_PRAGMAS = (
    "auto_vacuum=INCREMENTAL",
    "journal_mode=WAL",
    "synchronous=FULL",
    "journal_size_limit=67108864",
    "wal_autocheckpoint=1000",  # in larger ones too many wait who come meanwhile
    "cache_size=-32768",
    *(("fullfsync=ON", "checkpoint_fullfsync=ON") if sys.platform == "darwin" else ()),
)
_READER_PRAGMAS = ("query_only=ON", "cache_size=-8192")


class _Compiler(SQLiteCompiler):
    """SQLAlchemy's, but `with_hint(table, "INDEXED BY ...", "sqlite")` has an effect."""

    def get_from_hint_text(self, _table: Any, hint: str | None) -> str | None:
        """Return what follows the table's name."""
        return hint


def _engine(path: Path, begin: str, pragmas: tuple[str, ...]) -> Engine:
    engine = sa.create_engine(
        f"sqlite+pysqlite:///{path}",
        module=_LIBRARY,
        connect_args={
            "check_same_thread": False,
            "isolation_level": None,
            "cached_statements": CACHED_STATEMENTS,
        },
    )

    engine.dialect.statement_compiler = _Compiler

    @event.listens_for(engine, "connect")
    def _configure(raw: Any, _record: Any) -> None:
        for pragma in (*pragmas, *_COMMON_PRAGMAS):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
