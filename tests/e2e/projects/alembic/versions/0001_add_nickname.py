import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.execute("SET lock_timeout = '2s'")
    op.add_column("users", sa.Column("nickname", sa.Text))
    op.create_index("users_nickname", "users", ["nickname"])


def downgrade():
    op.drop_column("users", "nickname")
