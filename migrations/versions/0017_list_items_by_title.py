"""list items by title

Built while the shop is open.

Revision ID: 0017
Revises: 0016
Create Date: 2026-11-22 22:55:12.301276

"""
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None

NAME, TABLE = 'ix_stock_item_listed', 'stock_item'


def upgrade():
    with op.get_context().autocommit_block():
        op.drop_index(NAME, table_name=TABLE, if_exists=True, postgresql_concurrently=True)
        op.create_index(NAME, TABLE, ['title', 'id'], unique=False, postgresql_where=sa.text("status <> 'archived'"), postgresql_concurrently=True, if_not_exists=True)


def downgrade():
    with op.get_context().autocommit_block():
        op.drop_index(NAME, table_name=TABLE, if_exists=True, postgresql_concurrently=True)
