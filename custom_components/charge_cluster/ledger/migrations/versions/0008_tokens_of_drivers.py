"""What the tokens of drivers are, the groups they belong to, and how often they may charge at a time."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the columns up."""
    with op.batch_alter_table("driver", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("group_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("at_once", sa.Integer(), nullable=False, server_default="1"))


def downgrade() -> None:
    """Take the columns back."""
    with op.batch_alter_table("driver", schema=None) as batch_op:
        batch_op.drop_column("at_once")
        batch_op.drop_column("group_id")
        batch_op.drop_column("kind")
