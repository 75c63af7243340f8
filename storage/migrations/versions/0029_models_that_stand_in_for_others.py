"""Models that stand in for others"""

import sqlalchemy as sa
from alembic import op
from storage.tables.base import Json


revision = '0029'
down_revision = '0028'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table('completion_models', schema=None) as batch_op:
        batch_op.add_column(sa.Column('stand_ins', Json, server_default='[]', nullable=False))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('completion_models', schema=None) as batch_op:
        batch_op.drop_column('stand_ins')
