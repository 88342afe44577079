"""prove what 0004 added

Reads whole tables, and stops nobody.

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-22 22:08:40.115274

"""
from alembic import op

# revision identifiers, used by Alembic.
revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

ADDED = (
    ('orders', 'ck_orders_refunded_not_negative'),
    ('payment', 'ck_payment_refunded_not_negative'),
    ('reservation', 'ck_reservation_put_back_of_taken'),
    ('notification', 'fk_notification_refund_id'),
)


def upgrade():
    for table, name in ADDED:
        op.execute(f'ALTER TABLE {table} VALIDATE CONSTRAINT {name}')
    op.execute("UPDATE payment SET look_at = clock_timestamp() WHERE look_at IS NULL AND state NOT IN ('created', 'succeeded', 'cancelled', 'failed')")


def downgrade():
    pass
