"""find orders of a best-seller

Its lines are read newest order first, by an index that takes the place of that on the SKU alone.
Built while the shop is open; after a failure it is built again.

Revision ID: 0026
Revises: 0025
Create Date: 2026-11-23 17:47:30.118204

"""
from alembic import op

# revision identifiers, used by Alembic.
revision = '0026'
down_revision = '0025'
branch_labels = None
depends_on = None

NEW, OLD = 'ix_order_item_product_sku_order_id', 'ix_order_item_product_sku'


def upgrade():
    _replace(OLD, NEW, ['product_sku', 'order_id'])


def downgrade():
    _replace(NEW, OLD, ['product_sku'])


def _replace(old, new, columns):
    with op.get_context().autocommit_block():
        op.drop_index(new, table_name='order_item', if_exists=True, postgresql_concurrently=True)
        op.create_index(new, 'order_item', columns, unique=False, postgresql_concurrently=True, if_not_exists=True)
        op.drop_index(old, table_name='order_item', if_exists=True, postgresql_concurrently=True)
