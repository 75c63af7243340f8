"""Jobs carry the trace that they belong to"""

import sqlalchemy as sa
from alembic import op


revision = '0040'
down_revision = '0039'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.add_column(sa.Column('trace', sa.String(length=80), nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.drop_column('trace')
