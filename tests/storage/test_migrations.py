"""The migrations lead to the schema the program uses, from every state a file can be in."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
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


async def test_only_free_pages_go_back_to_the_disk(database: Database) -> None:
    """The purge relies on it: `auto_vacuum` can only be chosen while a file is empty."""
    assert await database.read(lambda sql: sql.exec_driver_sql("PRAGMA auto_vacuum").scalar()) == 2


@pytest.mark.parametrize("table", ["message", "delivery"])
async def test_ids_are_given_by_the_program_and_are_the_rows_own(database: Database, table: str) -> None:
    words = (await database.read(definitions))[table]

    assert "idINTEGERNOTNULL" in words
    assert "PRIMARYKEY(id)" in words
    assert "AUTOINCREMENT" not in words
