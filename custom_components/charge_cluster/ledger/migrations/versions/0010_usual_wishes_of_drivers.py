"""When the vehicles of drivers usually leave, and what they usually take."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the columns up."""
    with op.batch_alter_table("driver", schema=None) as batch_op:
        batch_op.add_column(sa.Column("leave_by_s", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("usual_wh", sa.Float(), nullable=True))


def downgrade() -> None:
    """Take the columns back."""
    with op.batch_alter_table("driver", schema=None) as batch_op:
        batch_op.drop_column("usual_wh")
        batch_op.drop_column("leave_by_s")
