"""What units ask for (退单、延期、不纳入考核、挂账) and how it was decided."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    pass
