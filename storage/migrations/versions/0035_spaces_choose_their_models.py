"""Spaces choose their models"""

import sqlalchemy as sa
from alembic import op
from storage.tables.base import Json


revision = '0035'
down_revision = '0034'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table('spaces', schema=None) as batch_op:
        batch_op.add_column(sa.Column('allowed_models', Json, nullable=True))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table('spaces', schema=None) as batch_op:
        batch_op.drop_column('allowed_models')
