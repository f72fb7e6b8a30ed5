"""How full the batteries of drivers are to be, what they hold, and which entity tells how full they are."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the columns up."""
    with op.batch_alter_table("driver", schema=None) as batch_op:
        batch_op.add_column(sa.Column("target_soc", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("battery_wh", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("battery_entity", sa.String(), nullable=True))


def downgrade() -> None:
    """Take the columns back."""
    with op.batch_alter_table("driver", schema=None) as batch_op:
        batch_op.drop_column("battery_entity")
        batch_op.drop_column("battery_wh")
        batch_op.drop_column("target_soc")
