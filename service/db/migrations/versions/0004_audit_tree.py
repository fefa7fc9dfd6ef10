"""The Merkle tree over the decision log, and its signed checkpoints."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    pass
