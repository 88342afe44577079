"""money that goes back

Quick whatever the size of the tables; 0005 has what takes its time.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-22 22:06:07.944327

"""
from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

CHECKS = (
    ('orders', 'ck_orders_refunded_not_negative', 'refunded_minor >= 0'),
    ('payment', 'ck_payment_refunded_not_negative', 'refunded_minor >= 0'),
    ('reservation', 'ck_reservation_put_back_of_taken', "0 <= put_back AND put_back <= CASE WHEN state = 'taken' THEN quantity ELSE 0 END"),
)


def upgrade():
    op.create_table('dispute',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('payment_id', sa.BigInteger(), nullable=False),
    sa.Column('order_id', sa.BigInteger(), nullable=False),
    sa.Column('provider', sa.Text(), nullable=False),
    sa.Column('provider_dispute_id', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('is_refundable', sa.Boolean(), nullable=False),
    sa.Column('due_by', sa.DateTime(timezone=True), nullable=True),
    sa.Column('raw_response', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('open', 'won', 'lost', 'closed')", name=op.f('ck_dispute_state')),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('fk_dispute_order_id')),
    sa.ForeignKeyConstraint(['payment_id'], ['payment.id'], name=op.f('fk_dispute_payment_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dispute')),
    sa.UniqueConstraint('provider', 'provider_dispute_id', name=op.f('uq_dispute_provider_provider_dispute_id'))
    )
    op.create_index('ix_dispute_open', 'dispute', ['due_by'], unique=False, postgresql_where=sa.text("state = 'open'"))
    op.create_index(op.f('ix_dispute_order_id'), 'dispute', ['order_id'], unique=False)
    op.create_index(op.f('ix_dispute_payment_id'), 'dispute', ['payment_id'], unique=False)
    op.create_table('look',
    sa.Column('payment_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("subject IN ('payment', 'refunds', 'disputes')", name=op.f('ck_look_subject')),
    sa.ForeignKeyConstraint(['payment_id'], ['payment.id'], name=op.f('fk_look_payment_id')),
    sa.PrimaryKeyConstraint('payment_id', 'subject', name=op.f('pk_look'))
    )
    op.create_table('refund',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('payment_id', sa.BigInteger(), nullable=False),
    sa.Column('order_id', sa.BigInteger(), nullable=False),
    sa.Column('provider', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('origin', sa.Text(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('is_everything', sa.Boolean(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('restock', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('provider_key', sa.Text(), nullable=True),
    sa.Column('provider_refund_id', sa.Text(), nullable=True),
    sa.Column('failure', sa.Text(), nullable=True),
    sa.Column('raw_response', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('requested_by', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('look_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('looks', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("origin = 'provider' OR provider_key IS NOT NULL", name=op.f('ck_refund_key')),
    sa.CheckConstraint("origin IN ('staff', 'surplus', 'late', 'provider')", name=op.f('ck_refund_origin')),
    sa.CheckConstraint("state IN ('cancelled', 'failed', 'pending', 'requested', 'sent', 'succeeded', 'unknown')", name=op.f('ck_refund_state')),
    sa.CheckConstraint('amount_minor > 0', name=op.f('ck_refund_amount_positive')),
    sa.ForeignKeyConstraint(['order_id'], ['orders.id'], name=op.f('fk_refund_order_id')),
    sa.ForeignKeyConstraint(['payment_id'], ['payment.id'], name=op.f('fk_refund_payment_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_refund')),
    sa.UniqueConstraint('provider', 'provider_refund_id', name=op.f('uq_refund_provider_provider_refund_id')),
    sa.UniqueConstraint('provider_key', name=op.f('uq_refund_provider_key'))
    )
    op.create_index('ix_refund_look_at', 'refund', ['look_at'], unique=False, postgresql_where=sa.text('look_at IS NOT NULL'))
    op.create_index(op.f('ix_refund_order_id'), 'refund', ['order_id'], unique=False)
    op.create_index(op.f('ix_refund_payment_id'), 'refund', ['payment_id'], unique=False)
    op.create_index('uq_refund_everything', 'refund', ['payment_id'], unique=True, postgresql_where=sa.text("is_everything AND state IN ('pending', 'requested', 'sent', 'succeeded', 'unknown')"))
    op.add_column('notification', sa.Column('refund_id', sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f('fk_notification_refund_id'), 'notification', 'refund', ['refund_id'], ['id'], postgresql_not_valid=True)
    op.add_column('orders', sa.Column('refunded_minor', sa.BigInteger(), server_default='0', nullable=False))
    op.add_column('payment', sa.Column('capture_before', sa.DateTime(timezone=True), nullable=True))
    op.add_column('payment', sa.Column('refunded_minor', sa.BigInteger(), server_default='0', nullable=False))
    op.add_column('payment', sa.Column('look_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('payment', sa.Column('looks', sa.BigInteger(), server_default='0', nullable=False))
    op.add_column('reservation', sa.Column('put_back', sa.BigInteger(), server_default='0', nullable=False))
    for table, name, condition in CHECKS:
        op.create_check_constraint(op.f(name), table, condition, postgresql_not_valid=True)


def downgrade():
    for table, name, _condition in CHECKS:
        op.drop_constraint(op.f(name), table, type_='check')
    op.drop_column('reservation', 'put_back')
    op.drop_column('payment', 'looks')
    op.drop_column('payment', 'look_at')
    op.drop_column('payment', 'refunded_minor')
    op.drop_column('payment', 'capture_before')
    op.drop_column('orders', 'refunded_minor')
    op.drop_constraint(op.f('fk_notification_refund_id'), 'notification', type_='foreignkey')
    op.drop_column('notification', 'refund_id')
    op.drop_index('uq_refund_everything', table_name='refund', postgresql_where=sa.text("is_everything AND state IN ('pending', 'requested', 'sent', 'succeeded', 'unknown')"))
    op.drop_index(op.f('ix_refund_payment_id'), table_name='refund')
    op.drop_index(op.f('ix_refund_order_id'), table_name='refund')
    op.drop_index('ix_refund_look_at', table_name='refund', postgresql_where=sa.text('look_at IS NOT NULL'))
    op.drop_table('refund')
    op.drop_table('look')
    op.drop_index(op.f('ix_dispute_payment_id'), table_name='dispute')
    op.drop_index(op.f('ix_dispute_order_id'), table_name='dispute')
    op.drop_index('ix_dispute_open', table_name='dispute', postgresql_where=sa.text("state = 'open'"))
    op.drop_table('dispute')
