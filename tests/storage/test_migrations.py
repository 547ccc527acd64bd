"""The migrations lead to the schema the program uses, from every state a file can be in."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection as Sql

from longwire.core.errors import Misconfigured
from longwire.storage import migrations
from longwire.storage.database import Database
from longwire.storage.schema import metadata

FOLDER = Path(migrations.__file__).parent


def differences(sql: Sql) -> list[object]:
    context = MigrationContext.configure(sql, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, metadata))


def definitions(sql: Sql) -> dict[str, str]:
    """Return the words every index and table was made with, white space and quotes aside."""
    rows = sql.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
    return {row.name: "".join(row.sql.replace('"', "").split()) for row in rows}


async def test_the_migrations_make_the_schema_the_program_uses(database: Database) -> None:
    assert await database.read(differences) == []


async def test_every_index_is_partial_where_the_schema_says_so(database: Database) -> None:
    migrated = await database.read(definitions)
    engine = sa.create_engine("sqlite://")
    with engine.connect() as sql:
        metadata.create_all(sql)
        declared = definitions(sql)
    engine.dispose()

    assert {name: text for name, text in migrated.items() if text.startswith("CREATEINDEX")} == {
        name: text for name, text in declared.items() if text.startswith("CREATEINDEX")
    }


async def test_opening_a_store_again_changes_nothing(database: Database, tmp_path: Path) -> None:
    before = await database.read(definitions)
    again = Database(tmp_path / "longwire.db")
    again.start()

    assert await again.read(definitions) == before
    await again.close()


async def test_a_store_of_a_newer_longwire_is_the_operators_to_put_right(
    database: Database, tmp_path: Path
) -> None:
    change = "UPDATE alembic_version SET version_num = '9999'"
    await database.write(lambda sql: sql.exec_driver_sql(change).rowcount)

    with pytest.raises(Misconfigured, match="written by a newer Longwire"):
        Database(tmp_path / "longwire.db").start()


def test_the_history_is_one_line() -> None:
    script = ScriptDirectory(str(FOLDER))

    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1
    assert all(not each.is_branch_point and not each.is_merge_point for each in script.walk_revisions())


def test_the_files_stand_in_the_order_of_the_history() -> None:
    newest_first = [each.revision for each in ScriptDirectory(str(FOLDER)).walk_revisions()]

    files = sorted(path.name for path in (FOLDER / "versions").glob("[0-9]*.py"))
    assert [name[:4] for name in files] == newest_first[::-1]
    assert newest_first[::-1] == [f"{number:04}" for number in range(1, len(files) + 1)]


def make_store(path: Path, revision: str) -> dict[str, list[dict[str, Any]]]:
    """Make a store of an earlier schema with two rows in every table; return them."""
    engine = sa.create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    tables = sa.MetaData()
    rows: dict[str, list[dict[str, Any]]] = {}
    with engine.begin() as sql:
        config.attributes["connection"] = sql
        command.upgrade(config, revision)
        tables.reflect(sql)
        for table in tables.sorted_tables:
            if table.name != "alembic_version":
                rows[table.name] = [
                    {column.name: value_of(column, number) for column in table.columns} for number in (1, 2)
                ]
                sql.execute(sa.insert(table), rows[table.name])
    engine.dispose()
    return rows


def value_of(column: sa.Column[Any], number: int) -> object:
    kind = bool if isinstance(column.type, sa.Boolean) else column.type.python_type
    match kind.__name__:
        case "bool":
            return number == 1
        case "int":
            return number
        case "float":
            return number / 2
        case "bytes":
            return f"{column.name} {number}".encode()
        case _:
            return f"{column.name} {number}"


@pytest.mark.parametrize("revision", ["0001", "0002", "0005", "0008"])
async def test_an_old_store_keeps_every_row_on_the_way_to_the_newest_schema(
    tmp_path: Path, revision: str
) -> None:
    before = make_store(tmp_path / "longwire.db", revision)
    opened = Database(tmp_path / "longwire.db")
    opened.start()

    assert await opened.read(differences) == []
    assert "message" in before
    for name, rows in before.items():
        found = await opened.read(lambda sql, name=name: sql.execute(sa.select(metadata.tables[name])).all())  # type: ignore[misc]
        kept = sorted(({column: row._mapping[column] for column in rows[0]} for row in found), key=str)
        # What was seen of a device so far is forgotten: its count begins anew.
        expected = [{**row, "revision": 0} if name == "device" and "revision" in row else row for row in rows]
        assert kept == sorted(expected, key=str), name
    await opened.close()


async def test_only_free_pages_go_back_to_the_disk(database: Database) -> None:
    """The purge relies on it: `auto_vacuum` can only be chosen while a file is empty."""
    assert await database.read(lambda sql: sql.exec_driver_sql("PRAGMA auto_vacuum").scalar()) == 2


@pytest.mark.parametrize("table", ["message", "delivery"])
async def test_ids_are_given_by_the_program_and_are_the_rows_own(database: Database, table: str) -> None:
    words = (await database.read(definitions))[table]

    assert "idINTEGERNOTNULL" in words
    assert "PRIMARYKEY(id)" in words
    assert "AUTOINCREMENT" not in words
