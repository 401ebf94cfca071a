"""What members gave programs that asked the hub who they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "oauth_grants",
        sa.Column("code", _WORDS, primary_key=True),
        sa.Column("token", _WORDS, unique=True),
        sa.Column("client", _WORDS, nullable=False),
        sa.Column("member", _WORDS, nullable=False),
        sa.Column("mark", _WORDS, nullable=False),
        sa.Column("redirect_uri", _WORDS, nullable=False),
        sa.Column("challenge", _WORDS, nullable=False),
        sa.Column("scopes", _WORDS, nullable=False),
        sa.Column("nonce", _WORDS, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("used_at", sa.Float),
        sa.Column("expires_at", sa.Float, nullable=False),
    )
    op.create_index("oauth_grants_by_member", "oauth_grants", ["member", "client"])
    op.create_index("oauth_grants_by_expiry", "oauth_grants", ["expires_at"])
