"""How many vehicles may charge with one token: said of a driver, or left to the site."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave to the site what nobody had said: one was what counted then."""
    with op.batch_alter_table("driver", schema=None) as batch_op:
        batch_op.alter_column("at_once", existing_type=sa.Integer(), nullable=True, server_default=None)
    op.execute("UPDATE driver SET at_once = NULL WHERE at_once = 1")


def downgrade() -> None:
    """Say it of every driver."""
    op.execute("UPDATE driver SET at_once = 1 WHERE at_once IS NULL")
    with op.batch_alter_table("driver", schema=None) as batch_op:
        batch_op.alter_column("at_once", existing_type=sa.Integer(), nullable=False, server_default="1")
