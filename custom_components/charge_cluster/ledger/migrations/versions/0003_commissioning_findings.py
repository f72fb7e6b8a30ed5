"""What commissioning found is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the table up."""
    op.create_table(
        "commissioning_finding",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("test", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("firmware", sa.String(), nullable=True),
        sa.Column("figures", sa.String(), nullable=False),
        sa.Column("outdated", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commissioning_finding")),
    )
    with op.batch_alter_table("commissioning_finding", schema=None) as batch_op:
        batch_op.create_index("ix_commissioning_finding_test", ["site_id", "subject", "test", "at"], unique=False)


def downgrade() -> None:
    """Take the table back."""
    with op.batch_alter_table("commissioning_finding", schema=None) as batch_op:
        batch_op.drop_index("ix_commissioning_finding_test")
    op.drop_table("commissioning_finding")
