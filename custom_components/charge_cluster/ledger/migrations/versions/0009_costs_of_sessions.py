"""What sessions cost, what charging at once would have cost more, and what was taken without a known price."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the columns up."""
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cost", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("saving", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("unpriced_wh", sa.Float(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("currency", sa.String(), nullable=True))


def downgrade() -> None:
    """Take the columns back."""
    with op.batch_alter_table("session", schema=None) as batch_op:
        batch_op.drop_column("currency")
        batch_op.drop_column("unpriced_wh")
        batch_op.drop_column("saving")
        batch_op.drop_column("cost")
