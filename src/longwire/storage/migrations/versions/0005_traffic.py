"""What connections carry, minute by minute, and which devices are active on them.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "traffic",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False),
        sa.Column("uplinks", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("connection_id", "minute"),
        sqlite_with_rowid=False,
    )
    op.create_index("traffic_by_minute", "traffic", ["minute"])
    op.create_table(
        "active_thing",
        sa.Column("connection_id", sa.Integer(), nullable=False),
        sa.Column("dev_eui", sa.String(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("connection_id", "dev_eui"),
        sqlite_with_rowid=False,
    )
    op.create_index("active_thing_by_step", "active_thing", ["connection_id", "step"])
