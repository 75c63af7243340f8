"""Questions to begin with"""

import sqlalchemy as sa
from alembic import op
from storage.tables.base import Json


revision = '0028'
down_revision = '0027'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table('assistants', schema=None) as batch_op:
        batch_op.add_column(sa.Column('starter_questions', Json, server_default='[]', nullable=False))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('assistants', schema=None) as batch_op:
        batch_op.drop_column('starter_questions')
