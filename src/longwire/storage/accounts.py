"""API keys, stored hashed, and the access tokens that stand for them (specification, sections 2, 15, 18)."""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from sqlalchemy.engine import Row

from longwire.core.access import Author, Identity, Role
from longwire.core.change import Change, differences
from longwire.core.errors import (
    Conflict,
    KeyExpired,
    Misconfigured,
    NotFound,
    StorageUnavailable,
    Unauthorized,
)
from longwire.storage.audit import record
from longwire.storage.data_folder import write_private_file
from longwire.storage.database import Database
from longwire.storage.micros import from_micros, to_micros
from longwire.storage.schema import api_key as table
from longwire.storage.secrets import Sealer

TOKEN_LIFETIME = timedelta(hours=1)

_RESOURCE = "apiKeys"
_CONFIGURED_ID = "configured"
_TOKEN_PREFIX = "lwt_"  # noqa: S105 - how a token is told from a key, no secret
_TOKEN_PLACE = "access_token"  # noqa: S105 - what it is sealed for


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the API lists it; of the key itself only the hash is known."""

    identity: Identity
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    key_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key is made from."""

    name: str
    role: Role
    expires_at: datetime | None = None


_OWNER = NewKey("owner", Role.OWNER)


class Accounts:
    """The keys, held in memory by their hashes: few, and asked for with every request."""

    def __init__(self, database: Database, sealer: Sealer, now: Callable[[], datetime]) -> None:
        """Nothing is read until `load`."""
        self._database = database
        self._sealer = sealer
        self._now = now
        self._changing = asyncio.Lock()
        self._by_hash: dict[bytes, ApiKey] = {}
        self._by_id: dict[str, ApiKey] = {}
        self._used: dict[str, datetime] = {}

    async def load(self, configured_owner_key: str | None, folder: Path) -> str | None:
        """Read the keys, making an owner key where none is valid; return that key, to be printed once.

        A configured key (LONGWIRE_OWNER_KEY) is an owner key as long as it is configured.
        """
        await self._database.write(lambda sql: self._set_configured(sql, configured_owner_key))
        has_owner = await self._database.read(lambda sql: _has_owner(sql, self._now()))
        if has_owner:
            await self._read()
            return None
        key = _make_key()
        write_private_file(folder / "owner.key", key + "\n")
        await self._change(lambda sql: self._insert(sql, secrets.token_hex(8), key, _OWNER))
        return key

    def identify(self, credential: str) -> Identity:
        """Return whose key or access token this is; raises Unauthorized, KeyExpired.

        Hashes are looked up, and a token's seal is checked as a whole, so the time tells nothing.
        """
        key = self._by_hash.get(_hash(credential)) or self._key_of_token(credential, _TOKEN_PLACE)
        return self._admit(key)

    def identify_session(self, token: str, mark: str) -> Identity:
        """Return whose token of a session this is; raises Unauthorized, KeyExpired. With another mark it is void."""
        return self._admit(self._key_of_token(token, _session_place(mark)))

    def is_session(self, token: str, mark: str) -> bool:
        """Return whether `identify_session` would admit it; to look is no use of the key."""
        try:
            self._valid(self._key_of_token(token, _session_place(mark)))
        except Unauthorized:
            return False
        return True

    def identify_client(self, client_id: str, client_secret: str) -> Identity:
        """Return whose key this is, if it has that id; raises Unauthorized, KeyExpired."""
        key = self._by_hash.get(_hash(client_secret))
        return self._admit(key if key is not None and key.identity.key_id == client_id else None)

    def issue_token(self, identity: Identity) -> tuple[str, timedelta]:
        """Return an access token for a key, and how long it lives: an hour, or as long as the key.

        The token is sealed and names the key by id and hash: nothing is stored, it survives a restart, and it ends
        with its key, or with another secret key. Raises Unauthorized when the key is gone already.
        """
        return self._issue(identity, _TOKEN_PLACE)

    def issue_session(self, identity: Identity, mark: str) -> tuple[str, timedelta]:
        """Return a token as `issue_token` does, but of one session of the pages: it opens nothing else."""
        return self._issue(identity, _session_place(mark))

    def _issue(self, identity: Identity, place: str) -> tuple[str, timedelta]:
        key, now = self._by_id.get(identity.key_id), self._now()
        if key is None:
            raise Unauthorized("the key was deleted")
        lifetime = TOKEN_LIFETIME if key.expires_at is None else min(TOKEN_LIFETIME, key.expires_at - now)
        content = f"{to_micros(now + lifetime)} {key.key_hash.hex()} {identity.key_id}"
        return _TOKEN_PREFIX + self._sealer.seal(content, place), lifetime

    def list(self) -> Sequence[ApiKey]:
        """Return the keys, newest first."""
        return list(reversed(self._by_id.values()))

    def last_used_at(self, key: ApiKey) -> datetime | None:
        """Return when a key, or a token of it, was last used; also what is not stored yet."""
        return self._used.get(key.identity.key_id, key.last_used_at)

    async def create(self, new: NewKey, by: Author | None = None) -> tuple[ApiKey, str]:
        """Return a new key as listed, and the key itself: it can never be shown again."""
        key, key_id = _make_key(), secrets.token_hex(8)
        await self._change(lambda sql: self._insert(sql, key_id, key, new, by))
        return self._by_id[key_id], key

    async def delete(self, key_id: str, by: Author | None = None) -> None:
        """Delete a key, and with it its access tokens.

        Raises NotFound, or Conflict for the last owner key and for the one that is configured.
        """
        await self._change(lambda sql: _delete(sql, key_id, self._now(), by))

    async def save_last_use(self) -> None:
        """Write when keys were last used, for those used since the last time; while the store is away, later."""
        used = {key_id: at for key_id, at in self._used.items() if self._by_id[key_id].last_used_at != at}
        if used:
            with suppress(StorageUnavailable):
                await self._change(lambda sql: _save_last_use(sql, used))

    def _admit(self, key: ApiKey | None) -> Identity:
        identity = self._valid(key).identity
        self._used[identity.key_id] = self._now()
        return identity

    def _valid(self, key: ApiKey | None) -> ApiKey:
        """Return the key that was found; raises Unauthorized when none was, KeyExpired."""
        if key is None:
            raise Unauthorized("the key is not valid; send Authorization: Bearer <key>")
        if key.expires_at is not None and key.expires_at <= self._now():
            raise KeyExpired("the key has expired; ask an owner for a new one")
        return key

    def _key_of_token(self, credential: str, place: str) -> ApiKey | None:
        """Return the key a token stands for, if both are valid and it was sealed for that place."""
        if not credential.startswith(_TOKEN_PREFIX):
            return None
        try:
            content = self._sealer.open(credential.removeprefix(_TOKEN_PREFIX), place)
        except Misconfigured:
            return None
        expires_at, key_hash, _key_id = content.split(" ", 2)
        if int(expires_at) <= to_micros(self._now()):
            raise KeyExpired("the access token has expired; get a new one")
        return self._by_hash.get(bytes.fromhex(key_hash))

    async def _change(self, change: Callable[[Sql], None]) -> None:
        """Change the stored keys and read them again; one at a time, so that no older reading comes last."""
        async with self._changing:
            await self._database.write(change)
            await self._read()

    async def _read(self) -> None:
        query = sa.select(table).order_by(table.c.created_at, sa.text("rowid"))
        rows = await self._database.read(lambda sql: sql.execute(query).all())
        keys = [_from_row(row) for row in rows]
        self._by_hash = {key.key_hash: key for key in keys}
        self._by_id = {key.identity.key_id: key for key in keys}
        self._used = {key_id: at for key_id, at in self._used.items() if key_id in self._by_id}

    def _set_configured(self, sql: Sql, key: str | None) -> None:
        own = table.c.id == _CONFIGURED_ID
        if key is None:
            sql.execute(sa.delete(table).where(own))
        elif sql.scalar(sa.select(table.c.key_hash).where(own)) != _hash(key):
            # The operator may set a key that is stored already: it is the same key.
            sql.execute(sa.delete(table).where(own | (table.c.key_hash == _hash(key))))
            self._insert(sql, _CONFIGURED_ID, key, _OWNER)

    def _insert(self, sql: Sql, key_id: str, key: str, new: NewKey, by: Author | None = None) -> None:
        values = {
            "id": key_id,
            "name": new.name,
            "role": new.role.value,
            "key_hash": _hash(key),
            "created_at": to_micros(self._now()),
            "expires_at": to_micros(new.expires_at),
        }
        sql.execute(sa.insert(table).values(values))
        record(sql, by, Change("create", _RESOURCE, key_id, differences({}, _told(new))))


def _from_row(row: Row[Any]) -> ApiKey:
    return ApiKey(
        Identity(row.id, row.name, Role(row.role)),
        from_micros(row.created_at),
        from_micros(row.expires_at),
        from_micros(row.last_used_at),
        row.key_hash,
    )


def _has_owner(sql: Sql, now: datetime, *, besides: str = "") -> bool:
    """Return whether an owner key is valid, besides one that is about to go."""
    valid = table.c.expires_at.is_(None) | (table.c.expires_at > to_micros(now))
    query = sa.select(table.c.id).where(table.c.role == Role.OWNER.value, table.c.id != besides, valid)
    return sql.scalar(query.limit(1)) is not None


def _delete(sql: Sql, key_id: str, now: datetime, by: Author | None) -> None:
    if key_id == _CONFIGURED_ID:
        raise Conflict("this key is set by LONGWIRE_OWNER_KEY; change it there")
    if not _has_owner(sql, now, besides=key_id):
        raise Conflict("this is the last owner key; create another one first")
    row = sql.execute(sa.delete(table).where(table.c.id == key_id).returning(*table.c)).first()
    if row is None:
        raise NotFound("there is no such key")
    key = _from_row(row)
    gone = _told(NewKey(key.identity.name, key.identity.role, key.expires_at))
    record(sql, by, Change("delete", _RESOURCE, key_id, differences(gone, {})))


def _told(key: NewKey) -> dict[str, Any]:
    """Return what the audit log tells of a key."""
    expires_at = key.expires_at.isoformat() if key.expires_at else None
    return {"name": key.name, "role": key.role.value, "expiresAt": expires_at}


def _save_last_use(sql: Sql, used: dict[str, datetime]) -> None:
    for key_id, at in used.items():
        sql.execute(sa.update(table).where(table.c.id == key_id).values(last_used_at=to_micros(at)))


def _session_place(mark: str) -> str:
    return f"session/{mark}"


def _make_key() -> str:
    return f"lw_{secrets.token_urlsafe(32)}"


def _hash(key: str) -> bytes:
    """Return what is stored of a key: it is random and long, so one round of SHA-256 is enough."""
    return hashlib.sha256(key.encode()).digest()
