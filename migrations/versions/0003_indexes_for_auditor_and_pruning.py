"""indexes for auditor and pruning

Built while the shop is open, each by itself; after a failure all are built again.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-22 20:02:47.310962

"""
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

INDEXES = (
    ('ix_job_prunable', 'job', ['finished_at'], "state IN ('done', 'cancelled') AND (lease_owner IS NOT NULL OR payload <> '{}')"),
    ('ix_webhook_event_prunable', 'webhook_event', ['received_at'], "state IN ('applied', 'ignored') AND body <> '{}'"),
    ('ix_orders_for_a_person', 'orders', ['id'], 'needs_review OR stock_shortage'),
    ('ix_payment_sent_at', 'payment', ['sent_at'], None),
)


def upgrade():
    with op.get_context().autocommit_block():
        for name, table, columns, condition in INDEXES:
            where = None if condition is None else sa.text(condition)
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
            op.create_index(name, table, columns, unique=False, postgresql_where=where, postgresql_concurrently=True, if_not_exists=True)


def downgrade():
    with op.get_context().autocommit_block():
        for name, table, _columns, _condition in reversed(INDEXES):
            op.drop_index(name, table_name=table, if_exists=True, postgresql_concurrently=True)
