"""Collections are shared with other spaces"""

import sqlalchemy as sa
from alembic import op
from storage.tables.base import Moment


revision = '0026'
down_revision = '0025'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table('collection_shares',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('tenant_id', sa.Uuid(), nullable=False),
    sa.Column('collection_id', sa.Uuid(), nullable=False),
    sa.Column('space_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', Moment(), server_default=sa.text('(CURRENT_TIMESTAMP)'), nullable=False),
    sa.Column('updated_at', Moment(), server_default=sa.text('(CURRENT_TIMESTAMP)'), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id', 'collection_id'], ['collections.tenant_id', 'collections.id'], name=op.f('fk_collection_shares_tenant_id_collection_id_collections'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'space_id'], ['spaces.tenant_id', 'spaces.id'], name=op.f('fk_collection_shares_tenant_id_space_id_spaces'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'user_id'], ['users.tenant_id', 'users.id'], name=op.f('fk_collection_shares_tenant_id_user_id_users'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name='fk_collection_shares_tenant_id_tenants', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_collection_shares')),
    sa.UniqueConstraint('tenant_id', 'collection_id', 'space_id', name=op.f('uq_collection_shares_tenant_id_collection_id_space_id')),
    sa.UniqueConstraint('tenant_id', 'id', name=op.f('uq_collection_shares_tenant_id_id')),
    info={'tenant': True}
    )
    with op.batch_alter_table('collection_shares', schema=None) as batch_op:
        batch_op.create_index('ix_collection_shares_space', ['tenant_id', 'space_id'], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_table('collection_shares')
