"""A row of a connection, for what only needs it to be there."""

import sqlalchemy as sa

from longwire.storage.database import Database
from longwire.storage.schema import connection


async def add_connection(database: Database, connection_id: int) -> None:
    values = {
        "id": connection_id,
        "revision": 1,
        "active": True,
        "downlink_uuid": "sealed",
        "downlink_uuid_hash": b"%d" % connection_id,
        "created_at": 0,
        "updated_at": 0,
    }
    await database.write(lambda sql: sql.execute(sa.insert(connection).values(values)))
