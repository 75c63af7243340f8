"""Blocks of the coarse search say when they have changed"""

import sqlalchemy as sa
from alembic import op


revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. SQLite alone has such blocks."""
    if 'chunk_blocks' in sa.inspect(op.get_bind()).get_table_names():
        op.execute("alter table chunk_blocks add column stamp integer not null default 0")


def downgrade() -> None:
    """Undo."""
    if 'chunk_blocks' in sa.inspect(op.get_bind()).get_table_names():
        op.execute("drop index if exists ix_chunk_blocks_stamp")
        op.execute("alter table chunk_blocks drop column stamp")
