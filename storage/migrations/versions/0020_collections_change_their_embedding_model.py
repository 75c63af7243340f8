"""Collections change their embedding model: vectors stand apart from words, in two sets"""

import sqlalchemy as sa
from alembic import op
from storage.tables.base import Json, Moment


revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Vectors that are there become the first set of their collections."""
    op.create_table('embedding_changes',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('tenant_id', sa.Uuid(), nullable=False),
    sa.Column('collection_id', sa.Uuid(), nullable=False),
    sa.Column('model_id', sa.Uuid(), nullable=False),
    sa.Column('job_id', sa.Uuid(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('done', sa.Integer(), nullable=False),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('error_params', Json, nullable=False),
    sa.Column('created_at', Moment(), server_default=sa.text('(CURRENT_TIMESTAMP)'), nullable=False),
    sa.Column('updated_at', Moment(), server_default=sa.text('(CURRENT_TIMESTAMP)'), nullable=False),
    sa.ForeignKeyConstraint(['tenant_id', 'collection_id'], ['collections.tenant_id', 'collections.id'], name=op.f('fk_embedding_changes_tenant_id_collection_id_collections'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'job_id'], ['jobs.tenant_id', 'jobs.id'], name=op.f('fk_embedding_changes_tenant_id_job_id_jobs'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id', 'model_id'], ['embedding_models.tenant_id', 'embedding_models.id'], name=op.f('fk_embedding_changes_tenant_id_model_id_embedding_models'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['tenant_id'], ['tenants.id'], name='fk_embedding_changes_tenant_id_tenants', ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_embedding_changes')),
    sa.UniqueConstraint('tenant_id', 'collection_id', name=op.f('uq_embedding_changes_tenant_id_collection_id')),
    sa.UniqueConstraint('tenant_id', 'id', name=op.f('uq_embedding_changes_tenant_id_id')),
    info={'tenant': True}
    )
    with op.batch_alter_table('embedding_changes', schema=None) as batch_op:
        batch_op.create_index('ix_embedding_changes_job', ['tenant_id', 'job_id'], unique=False)
    with op.batch_alter_table('collections', schema=None) as batch_op:
        batch_op.add_column(sa.Column('vector_set', sa.Integer(), server_default='0', nullable=False))
    with op.batch_alter_table('chunks', schema=None) as batch_op:
        batch_op.add_column(sa.Column('header', sa.Text(), server_default='', nullable=False))
    names = sa.inspect(op.get_bind()).get_table_names()
    if 'chunk_places' in names:
        _sqlite()
    if 'chunk_index' in names:
        _postgres()


def _sqlite() -> None:
    op.execute("create table chunk_vector_places(vector integer primary key, tenant_id text not null, "
               "scope text not null, dims integer not null, block integer)")  # fmt: skip
    op.execute("insert into chunk_vector_places select key, tenant_id, scope, dims, block from chunk_places")
    op.execute("alter table chunk_places drop column dims")
    op.execute("alter table chunk_places drop column block")


def _postgres() -> None:
    op.execute("create table chunk_vectors (tenant_id uuid not null, chunk_key bigint not null, "
               "vector_set smallint not null, collection_id uuid not null, dims integer not null, "
               "embedding halfvec not null, primary key (chunk_key, vector_set), "
               "foreign key (chunk_key) references chunk_index (chunk_key) on delete cascade)")  # fmt: skip
    # Until here row-level security holds for the owner too.
    op.execute("alter table chunk_index no force row level security")
    op.execute("insert into chunk_vectors select tenant_id, chunk_key, 0, collection_id, dims, embedding from chunk_index")
    op.execute("alter table chunk_index force row level security")
    op.execute("drop index if exists ix_chunk_index_collection")
    op.execute("alter table chunk_index drop column dims, drop column embedding")


def downgrade() -> None:
    """Undo: the search index of before is not made again."""
    raise NotImplementedError
