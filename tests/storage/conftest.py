"""What the tests of the store share: one open database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longwire.storage.database import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(tmp_path / "longwire.db")
    opened.start()
    yield opened
    await opened.close()
