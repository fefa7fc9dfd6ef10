"""Who may do what: accounts, roles, sign-in, keys. Every answer about permission carries its reason."""

from service.access.actor import Actor, Answer, Scope
from service.access.roles import ACTIONS, ROLES

__all__ = ["ACTIONS", "ROLES", "Actor", "Answer", "Scope"]
