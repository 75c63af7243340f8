"""The words of collections are counted, and terms are kept beside the index"""

import sqlalchemy as sa
from alembic import op


revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. What the index holds of words is made anew from the chunks afterwards (storage.search.rebuild)."""
    names = sa.inspect(op.get_bind()).get_table_names()
    if 'chunk_places' in names:
        op.execute("alter table chunk_places rename column collection_id to scope")
        op.execute("alter table chunk_places add column terms text not null default ''")
        op.execute("drop table chunk_terms")
    if 'chunk_index' in names:
        op.execute("drop function if exists app.search_text(uuid[], text[], integer)")
        op.execute("drop index if exists ix_chunk_index_scoped_terms")
        op.execute("drop index if exists ix_chunk_index_near")
        op.execute("alter table chunk_index rename column terms to lexemes")
        op.execute("alter table chunk_index drop column length")
        op.execute("alter table chunk_index add column terms text not null default ''")


def downgrade() -> None:
    """Undo: the search index of before is not made again."""
    raise NotImplementedError
