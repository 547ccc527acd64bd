"""The age of a message counts from the earlier of its time and its receipt; connections can be restarted.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("delivery", sa.Column("aged_from", sa.BigInteger(), nullable=True))
    op.add_column("connection", sa.Column("restarts", sa.Integer(), nullable=False, server_default="0"))
