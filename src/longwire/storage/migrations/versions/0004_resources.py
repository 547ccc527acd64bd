"""Flows and network servers have revisions; devices have what is known of them, and connections of their own.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and make the devices anew: SQLite cannot make a column nullable in place."""
    op.add_column("flow", sa.Column("revision", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("network_server", sa.Column("revision", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("delivery", sa.Column("expires_at", sa.BigInteger(), nullable=True))
    op.drop_index(op.f("ix_device_network_server_id"), "device")
    op.rename_table("device", "device_before")
    op.create_table(
        "device",
        sa.Column("dev_eui", sa.String(), nullable=False),
        sa.Column("network_server_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=True),
        sa.Column("learned_name", sa.Text(), nullable=True),
        sa.Column("learned_tags", sa.Text(), nullable=True),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=True),
        sa.Column("f_cnt_up", sa.BigInteger(), nullable=True),
        sa.Column("last_rssi", sa.Float(), nullable=True),
        sa.Column("last_snr", sa.Float(), nullable=True),
        sa.Column("hourly", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("dev_eui"),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_device_network_server_id"), "device", ["network_server_id"], unique=False)
    op.create_index(op.f("ix_device_created_at"), "device", ["created_at"], unique=False)
    op.execute(
        "INSERT INTO device (dev_eui, network_server_id, created_at)"
        " SELECT dev_eui, network_server_id, created_at FROM device_before"
    )
    op.drop_table("device_before")
    op.create_table(
        "device_connection",
        sa.Column("dev_eui", sa.String(), nullable=False),
        sa.Column("connection_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("dev_eui", "connection_id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_device_connection_connection_id"), "device_connection", ["connection_id"], unique=False
    )
