"""the auditor

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-22 19:58:12.104733

"""
from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('audit_cursor',
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('passed_id', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('subject', name=op.f('pk_audit_cursor'))
    )
    op.create_table('finding',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('promise', sa.Text(), nullable=False),
    sa.Column('invariant', sa.BigInteger(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('subject_id', sa.BigInteger(), nullable=False),
    sa.Column('order_id', sa.BigInteger(), nullable=True),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.Column('repair', sa.Text(), nullable=False),
    sa.Column('first_seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_finding'))
    )
    op.create_index('uq_finding_open', 'finding', ['promise', 'subject', 'subject_id'], unique=True, postgresql_where=sa.text('closed_at IS NULL'))
    op.create_index('ix_finding_closed', 'finding', ['closed_at'], unique=False, postgresql_where=sa.text('closed_at IS NOT NULL'))


def downgrade():
    op.drop_table('finding')
    op.drop_table('audit_cursor')
