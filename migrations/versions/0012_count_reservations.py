"""count the reservations of a client

Built while the shop is open; after a failure it is built again.

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-22 22:31:40.612093

"""
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        op.drop_index('ix_orders_unpaid', table_name='orders', if_exists=True, postgresql_concurrently=True)
        op.create_index('ix_orders_unpaid', 'orders', ['client_hash'], unique=False, postgresql_where=sa.text("state = 'pending'"), postgresql_concurrently=True, if_not_exists=True)


def downgrade():
    with op.get_context().autocommit_block():
        op.drop_index('ix_orders_unpaid', table_name='orders', if_exists=True, postgresql_concurrently=True)
