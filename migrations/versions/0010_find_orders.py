"""find orders by what people know of them

Built while the shop is open, each by itself; after a failure all are built again.

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-22 22:22:52.880451

"""
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

INDEXES = (
    ('ix_orders_email', 'orders', [sa.text('lower(email)')]),
    ('ix_order_item_product_sku', 'order_item', ['product_sku']),
)


def upgrade():
    with op.get_context().autocommit_block():
        for name, table, columns in INDEXES:
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, columns, unique=False, postgresql_concurrently=True, if_not_exists=True)


def downgrade():
    with op.get_context().autocommit_block():
        for name, table, _columns in reversed(INDEXES):
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
