"""The schema's history, run by Alembic at every start."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.engine import Connection

from longwire.core.errors import Misconfigured


def upgrade(connection: Connection) -> None:
    """Bring the database up to the newest schema; raises Misconfigured for one that is newer than this program."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Misconfigured(
            "the data folder was written by a newer Longwire; start that version, or set LONGWIRE_DATA"
        ) from error
