"""Models that put search results in order"""

import sqlalchemy as sa
from alembic import op
from storage.tables.base import Moment

revision = '0041'
down_revision = '0040'
branch_labels = None
depends_on = None
PRICE = 'fk_model_prices_tenant_id_rerank_id_rerank_models'
ONCE = 'uq_model_prices_tenant_id_rerank_id_valid_from'


def upgrade() -> None:
    """Apply."""
    op.create_table('rerank_models',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('tenant_id', sa.Uuid(), nullable=False),
    sa.Column('provider_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('family', sa.String(length=80), nullable=False),
    sa.Column('hosting', sa.String(length=40), nullable=False),
    sa.Column('org', sa.String(length=80), nullable=True),
    sa.Column('stability', sa.String(length=40), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('deprecated', sa.Boolean(), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('is_default', sa.Boolean(), nullable=False),
    sa.Column('license', sa.String(length=80), nullable=True),
    sa.Column('link', sa.String(length=2000), nullable=True),
    sa.Column('retires_on', sa.Date(), nullable=True),
    sa.Column('replacement_id', sa.Uuid(), nullable=True),
    sa.Column('security_classification_id', sa.Uuid(), nullable=True),
    sa.Column('nickname', sa.String(length=255), nullable=False),
    sa.Column('open_source', sa.Boolean(), nullable=True),
    sa.Column('created_at', Moment(), server_default=sa.text('(CURRENT_TIMESTAMP)'), nullable=False),
    sa.Column('updated_at', Moment(), server_default=sa.text('(CURRENT_TIMESTAMP)'), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id', 'provider_id'], ['model_providers.tenant_id', 'model_providers.id'], name=op.f('fk_rerank_models_tenant_id_provider_id_model_providers'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'security_classification_id'], ['security_classifications.tenant_id', 'security_classifications.id'], name='fk_rerank_models_classification', ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name='fk_rerank_models_tenant_id_tenants', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rerank_models')),
    sa.UniqueConstraint('tenant_id', 'id', name=op.f('uq_rerank_models_tenant_id_id')),
    sa.UniqueConstraint('tenant_id', 'provider_id', 'name', name=op.f('uq_rerank_models_tenant_id_provider_id_name')),
    info={'tenant': True}
    )
    with op.batch_alter_table('model_prices', schema=None) as batch_op:
        batch_op.add_column(sa.Column('rerank_id', sa.Uuid(), nullable=True))
        batch_op.create_foreign_key(op.f(PRICE), 'rerank_models', ['tenant_id', 'rerank_id'], ['tenant_id', 'id'], ondelete='CASCADE')
        batch_op.create_unique_constraint(op.f(ONCE), ['tenant_id', 'rerank_id', 'valid_from'])


def downgrade() -> None:
    """Undo. Prices of such models go with them."""
    if op.get_bind().dialect.name == 'postgresql':
        # Forced row-level security hides the rows from the owner; it is forced again after every upgrade.
        op.execute('alter table model_prices no force row level security')
    op.execute('delete from model_prices where rerank_id is not null')
    with op.batch_alter_table('model_prices', schema=None) as batch_op:
        batch_op.drop_constraint(op.f(ONCE), type_='unique')
        batch_op.drop_constraint(op.f(PRICE), type_='foreignkey')
        batch_op.drop_column('rerank_id')
    op.drop_table('rerank_models')
