"""How many messages waited on connections, where that changed.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "waited",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("connection_id", "minute"),
        sqlite_with_rowid=False,
    )
    op.create_index("waited_by_minute", "waited", ["minute"])
