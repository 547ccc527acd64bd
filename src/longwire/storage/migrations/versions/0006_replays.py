"""Deliveries are found by time and outcome, and can be replayed; debug keeps requests; tests have rows.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, the indexes, and the jobs."""
    for column in (
        sa.Column("replayed_at", sa.BigInteger()),
        sa.Column("replayed_after", sa.Integer()),
        sa.Column("replayed_from", sa.String()),
        sa.Column("replay_id", sa.Integer()),
        sa.Column("test", sa.Boolean(), nullable=False, server_default="0"),
    ):
        op.add_column("delivery", column)
    op.add_column("attempt", sa.Column("request_body", sa.LargeBinary()))
    op.add_column("connection", sa.Column("debug_until", sa.BigInteger()))
    _index_deliveries()
    op.create_table(
        "replay",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Integer()),
        sa.Column("target_id", sa.Integer()),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("after_time", sa.BigInteger(), nullable=False),
        sa.Column("after_id", sa.Integer(), nullable=False),
        sa.Column("is_placed", sa.Boolean(), nullable=False),
        sqlite_autoincrement=True,
    )


def _index_deliveries() -> None:
    op.drop_index("delivery_by_connection", "delivery")
    op.create_index("delivery_by_connection", "delivery", ["connection_id", "received_at"])
    op.create_index("delivery_by_time", "delivery", ["received_at"])
    op.create_index(
        "delivery_dead",
        "delivery",
        ["received_at", "connection_id", "outcome", "last_status"],
        sqlite_where=sa.text("outcome NOT IN ('QUEUED', 'DELIVERED')"),
    )
    op.create_index(
        "delivery_replayed",
        "delivery",
        ["replay_id", "outcome"],
        sqlite_where=sa.text("replay_id IS NOT NULL"),
    )
