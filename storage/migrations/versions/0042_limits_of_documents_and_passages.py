"""Limits of documents and passages"""

import sqlalchemy as sa
from alembic import op
from storage.tables.base import Moment

revision = '0042'
down_revision = '0041'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table('knowledge_limits',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('tenant_id', sa.Uuid(), nullable=False),
    sa.Column('space_id', sa.Uuid(), nullable=True),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('documents', sa.Integer(), nullable=True),
    sa.Column('passages', sa.Integer(), nullable=True),
    sa.Column('created_at', Moment(), server_default=sa.text('(CURRENT_TIMESTAMP)'), nullable=False),
    sa.Column('updated_at', Moment(), server_default=sa.text('(CURRENT_TIMESTAMP)'), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id', 'space_id'], ['spaces.tenant_id', 'spaces.id'], name=op.f('fk_knowledge_limits_tenant_id_space_id_spaces'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'user_id'], ['users.tenant_id', 'users.id'], name=op.f('fk_knowledge_limits_tenant_id_user_id_users'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name='fk_knowledge_limits_tenant_id_tenants', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_knowledge_limits')),
    sa.UniqueConstraint('tenant_id', 'id', name=op.f('uq_knowledge_limits_tenant_id_id')),
    sa.UniqueConstraint('tenant_id', 'space_id', name=op.f('uq_knowledge_limits_tenant_id_space_id')),
    sa.UniqueConstraint('tenant_id', 'user_id', name=op.f('uq_knowledge_limits_tenant_id_user_id')),
    info={'tenant': True}
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table('knowledge_limits')
