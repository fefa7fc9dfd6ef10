"""The one error shape of the house: a stable code and one Chinese sentence (what, where, how to mend).

Every message a user can read stands in :data:`CATALOGUE`, so that a reviewer can read them all in one sitting and a
user can search for a code. Over HTTP an error becomes an RFC 9457 problem document, on the command line one line and
an exit code; both are rendered in ``service``, never here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: code -> (title, message template, HTTP status, exit code). Exit codes: 2 = the caller's input, 3 = the machine or
#: the installation, 4 = refused by a rule of the house.
CATALOGUE: dict[str, tuple[str, str, int, int]] = {}


def register(code: str, title: str, message: str, *, status: int = 422, exit_code: int = 2) -> str:
    """Add one message to the catalogue and return its code.

    Raises
    ------
    ValueError
        If the code is taken: one code, one meaning.
    """
    if code in CATALOGUE:
        raise ValueError(f"error code {code} is already in the catalogue")
    CATALOGUE[code] = (title, message, status, exit_code)
    return code


@dataclass
class ZhipaiError(Exception):
    """An error that a user may read.

    Parameters
    ----------
    code : str
        A key of :data:`CATALOGUE`.
    params : dict
        Values for the message template. Never order text or personal data: messages reach logs.
    where : str
        The place in the input: ``orders.xlsx 工作表 Sheet1 第 12 行 列“诉求内容”``, a JSON pointer, or ``""``.
    """

    code: str
    params: dict[str, Any] = field(default_factory=dict)
    where: str = ""

    def __post_init__(self) -> None:
        super().__init__(self.code)

    @property
    def title(self) -> str:
        return CATALOGUE[self.code][0]

    @property
    def message(self) -> str:
        return CATALOGUE[self.code][1].format(**self.params)

    @property
    def status(self) -> int:
        return CATALOGUE[self.code][2]

    @property
    def exit_code(self) -> int:
        return CATALOGUE[self.code][3]

    def __str__(self) -> str:
        place = f"（{self.where}）" if self.where else ""
        return f"[{self.code}] {self.message}{place}"
