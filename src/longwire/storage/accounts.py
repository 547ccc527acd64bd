"""API keys: stored hashed, shown once."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from longwire.core.errors import Unauthorized
from longwire.storage.data_folder import write_private_file
from longwire.storage.database import Database
from longwire.storage.micros import to_micros
from longwire.storage.schema import api_key

OWNER = "Owner"
_CONFIGURED_ID = "configured"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: the id and the role of the key."""

    key_id: str
    role: str


class Accounts:
    """The keys, held in memory by their hashes: few, and asked for with every request."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        """Nothing is read until `load`."""
        self._database = database
        self._now = now
        self._identities: dict[bytes, Identity] = {}

    async def load(self, configured_owner_key: str | None, folder: Path) -> str | None:
        """Read the keys, making an owner key at the first start; return that key, to be printed once.

        A configured key (LONGWIRE_OWNER_KEY) is an owner key as long as it is configured; then none is made.
        """
        await self._database.write(lambda connection: self._set_configured(connection, configured_owner_key))
        made = None if configured_owner_key else await self._make_first_owner_key(folder)
        rows = await self._database.read(lambda connection: connection.execute(sa.select(api_key)).all())
        self._identities = {row.key_hash: Identity(row.id, row.role) for row in rows}
        return made

    def identify(self, key: str) -> Identity:
        """Return whose key this is; raises Unauthorized. Hashes are looked up, so the time tells nothing."""
        identity = self._identities.get(_hash(key))
        if identity is None:
            raise Unauthorized("the key is not valid; send Authorization: Bearer <key>")
        return identity

    async def _make_first_owner_key(self, folder: Path) -> str | None:
        key = f"lw_{secrets.token_urlsafe(32)}"
        count = await self._database.read(
            lambda connection: connection.scalar(sa.select(sa.func.count()).select_from(api_key))
        )
        if count:
            return None
        write_private_file(folder / "owner.key", key + "\n")
        await self._database.write(lambda connection: self._insert(connection, secrets.token_hex(8), key))
        return key

    def _set_configured(self, connection: Connection, key: str | None) -> None:
        connection.execute(sa.delete(api_key).where(api_key.c.id == _CONFIGURED_ID))
        if key is not None:
            self._insert(connection, _CONFIGURED_ID, key)

    def _insert(self, connection: Connection, key_id: str, key: str) -> None:
        connection.execute(
            sa.insert(api_key).values(
                id=key_id,
                name="owner",
                role=OWNER,
                key_hash=_hash(key),
                created_at=to_micros(self._now()),
            )
        )


def _hash(key: str) -> bytes:
    """Return what is stored of a key: it is random and long, so one round of SHA-256 is enough."""
    return hashlib.sha256(key.encode()).digest()
