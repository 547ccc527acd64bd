"""Downlinks.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "downlink",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("correlation_id", sa.String(), nullable=False),
        sa.Column("dev_eui", sa.String(), nullable=False),
        sa.Column("connection_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("network_server_id", sa.String(), nullable=False),
        sa.Column("f_port", sa.Integer(), nullable=False),
        sa.Column("payload_hex", sa.String(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column(
            "sealed", sa.Text(), nullable=False, comment="what the application asked for, with its AS_KEY"
        ),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("marked", sa.Boolean(), nullable=False, comment="a request may be under way"),
        sa.Column("not_before", sa.BigInteger(), nullable=True, comment="when it is tried again"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("downlink_by_device", "downlink", ["dev_eui", "id"])
    op.create_index("downlink_by_connection", "downlink", ["connection_id", "id"])
    op.create_index("downlink_queued", "downlink", ["id"], sqlite_where=sa.text("status = 'QUEUED'"))
