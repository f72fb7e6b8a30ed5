"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables up."""
    op.create_table(
        "charge_transaction",
        sa.Column("transaction_id", sa.Integer(), nullable=False),
        sa.Column("charge_point_id", sa.String(), nullable=False),
        sa.Column("connector", sa.Integer(), nullable=False),
        sa.Column("id_tag", sa.String(), nullable=True),
        sa.Column("id_tag_key", sa.String(), nullable=False),
        sa.Column("meter_start_wh", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("received_at", sa.Float(), nullable=False),
        sa.Column("reservation_id", sa.Integer(), nullable=True),
        sa.Column("adopted", sa.Boolean(), nullable=False),
        sa.Column("meter_stop_wh", sa.Integer(), nullable=True),
        sa.Column("stopped_at", sa.Float(), nullable=True),
        sa.Column("stop_id_tag", sa.String(), nullable=True),
        sa.Column("stop_reason", sa.String(), nullable=True),
        sa.Column("last_meter_wh", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("transaction_id", name=op.f("pk_charge_transaction")),
        sa.UniqueConstraint(
            "charge_point_id", "connector", "started_at", "meter_start_wh", "id_tag_key", name="uq_content"
        ),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("charge_transaction", schema=None) as batch_op:
        batch_op.create_index("ix_charge_transaction_open", ["charge_point_id", "stopped_at"], unique=False)

    op.create_table(
        "demand_minute",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("circuit_id", sa.String(), nullable=False),
        sa.Column("minute_start", sa.Integer(), nullable=False),
        sa.Column("l1_a", sa.Float(), nullable=False),
        sa.Column("l2_a", sa.Float(), nullable=False),
        sa.Column("l3_a", sa.Float(), nullable=False),
        sa.Column("mean_power_w", sa.Float(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "circuit_id", "minute_start", name=op.f("pk_demand_minute")),
    )
    op.create_table(
        "driver",
        sa.Column("id_tag", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id_tag", name=op.f("pk_driver")),
    )
    op.create_table(
        "kept",
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("site_id", "kind", "key", name=op.f("pk_kept")),
    )
    op.create_table(
        "limit_order",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("limit_a", sa.Float(), nullable=False),
        sa.Column("before_a", sa.Float(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("circuit_id", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("drawn_a", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit_order")),
    )
    with op.batch_alter_table("limit_order", schema=None) as batch_op:
        batch_op.create_index("ix_limit_order_connector", ["site_id", "connector", "at"], unique=False)

    op.create_table(
        "meter_value",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("charge_point_id", sa.String(), nullable=False),
        sa.Column("connector", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.Integer(), nullable=True),
        sa.Column("measured_at", sa.Float(), nullable=False),
        sa.Column("energy_wh", sa.Float(), nullable=True),
        sa.Column("power_w", sa.Float(), nullable=True),
        sa.Column("l1_a", sa.Float(), nullable=True),
        sa.Column("l2_a", sa.Float(), nullable=True),
        sa.Column("l3_a", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meter_value")),
    )
    with op.batch_alter_table("meter_value", schema=None) as batch_op:
        batch_op.create_index("ix_meter_value_time", ["measured_at"], unique=False)

    op.create_table(
        "orphan_stop",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("charge_point_id", sa.String(), nullable=False),
        sa.Column("transaction_id", sa.Integer(), nullable=False),
        sa.Column("id_tag", sa.String(), nullable=True),
        sa.Column("meter_stop_wh", sa.Integer(), nullable=False),
        sa.Column("stopped_at", sa.Float(), nullable=False),
        sa.Column("received_at", sa.Float(), nullable=False),
        sa.Column("stop_reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orphan_stop")),
        sa.UniqueConstraint("charge_point_id", "transaction_id", "stopped_at", name="uq_orphan"),
    )
    op.create_table(
        "session",
        sa.Column("session_id", sa.String(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("connector", sa.String(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("energy_wh", sa.Float(), nullable=False),
        sa.Column("id_tag", sa.String(), nullable=True),
        sa.Column("transaction_id", sa.String(), nullable=True),
        sa.Column("held_back_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_session")),
    )
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.create_index("ix_session_time", ["site_id", "started_at"], unique=False)


def downgrade() -> None:
    """Take the tables back."""
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.drop_index("ix_session_time")

    op.drop_table("session")
    op.drop_table("orphan_stop")
    with op.batch_alter_table("meter_value", schema=None) as batch_op:
        batch_op.drop_index("ix_meter_value_time")

    op.drop_table("meter_value")
    with op.batch_alter_table("limit_order", schema=None) as batch_op:
        batch_op.drop_index("ix_limit_order_connector")

    op.drop_table("limit_order")
    op.drop_table("kept")
    op.drop_table("driver")
    op.drop_table("demand_minute")
    with op.batch_alter_table("charge_transaction", schema=None) as batch_op:
        batch_op.drop_index("ix_charge_transaction_open")

    op.drop_table("charge_transaction")
