"""find what staff look for

Built while the shop is open; after a failure they are built again.

Revision ID: 0019
Revises: 0018
Create Date: 2026-11-23 02:41:08.550911

"""
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None

INDEXES = {'ix_orders_disputed': 'disputed', 'ix_orders_refunded': 'refunded_minor > 0'}


def upgrade():
    with op.get_context().autocommit_block():
        for name, condition in INDEXES.items():
            op.drop_index(name, table_name='orders', if_exists=True, postgresql_concurrently=True)
            op.create_index(name, 'orders', ['id'], unique=False, postgresql_where=sa.text(condition), postgresql_concurrently=True, if_not_exists=True)


def downgrade():
    with op.get_context().autocommit_block():
        for name in INDEXES:
            op.drop_index(name, table_name='orders', if_exists=True, postgresql_concurrently=True)
