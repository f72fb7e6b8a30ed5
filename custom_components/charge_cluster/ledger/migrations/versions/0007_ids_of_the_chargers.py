"""The ids that chargers give their transactions in OCPP 2.x."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the column up."""
    with op.batch_alter_table("charge_transaction", schema=None) as batch_op:
        batch_op.add_column(sa.Column("charger_id", sa.String(), nullable=True))
        batch_op.create_index("ix_charge_transaction_charger", ["charge_point_id", "charger_id"], unique=False)


def downgrade() -> None:
    """Take the column back."""
    with op.batch_alter_table("charge_transaction", schema=None) as batch_op:
        batch_op.drop_index("ix_charge_transaction_charger")
        batch_op.drop_column("charger_id")
