"""What drivers a device has, and when a network server sent last; devices seen so far count from here on.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("device", sa.Column("learned_driver", sa.Text(), nullable=True))
    message_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("device", sa.Column("counted_up_to", message_id, nullable=True))
    op.execute("UPDATE device SET revision = 0")
    op.add_column("network_server", sa.Column("last_uplink_at", sa.BigInteger(), nullable=True))
