"""find the rare among many

What staff narrow a list down to may be one row in a million. Built while the shop is open; after
a failure they are built again.

Revision ID: 0022
Revises: 0021
Create Date: 2026-11-23 08:20:11.402317

"""
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None

INDEXES = {
    'ix_orders_state_fulfilment_id': ('orders', ['state', 'fulfilment', 'id'], None),
    'ix_job_kind_id': ('job', ['kind', 'id'], None),
    'ix_job_cancelled': ('job', ['id'], "state = 'cancelled'"),
    'ix_refund_state_id': ('refund', ['state', 'id'], None),
    'ix_refund_origin_id': ('refund', ['origin', 'id'], None),
    'ix_webhook_event_state_id': ('webhook_event', ['state', 'id'], None),
}


def upgrade():
    with op.get_context().autocommit_block():
        for name, (table, columns, condition) in INDEXES.items():
            where = sa.text(condition) if condition else None
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, columns, unique=False, postgresql_where=where, postgresql_concurrently=True, if_not_exists=True)


def downgrade():
    with op.get_context().autocommit_block():
        for name, (table, _columns, _condition) in INDEXES.items():
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
