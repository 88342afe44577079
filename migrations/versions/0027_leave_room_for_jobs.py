"""leave room for jobs

Pages that are written from now on keep a fifth free for the next versions of their jobs.

Revision ID: 0027
Revises: 0026
Create Date: 2026-11-23 17:50:12.604417

"""
from alembic import op

# revision identifiers, used by Alembic.
revision = '0027'
down_revision = '0026'
branch_labels = None
depends_on = None


def upgrade():
    op.execute('ALTER TABLE job SET (fillfactor = 80)')


def downgrade():
    op.execute('ALTER TABLE job RESET (fillfactor)')
