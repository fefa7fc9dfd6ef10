"""Who asks: a signed-in person, a machine with a key, or whoever sits at a machine that has no accounts yet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from intake.unit import UnitDirectory
from service.access.roles import ACTIONS, ROLES, holders, titles

#: How a person at a machine without accounts stands in the records, and under which role.
LOCAL: Literal["local"] = "local"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether something is allowed, and why (Chinese)."""

    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Scope:
    """Which districts and units somebody may see. A unit stands for itself and for its children, a district for all units
    in it: :meth:`with_children` works both out. ``all`` is the whole city."""

    all: bool = False
    districts: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()

    @classmethod
    def everything(cls) -> Scope:
        return cls(all=True)

    @classmethod
    def of(cls, *, districts: tuple[str, ...] | list[str] = (), units: tuple[str, ...] | list[str] = ()) -> Scope:
        """Some districts and units; with neither, the whole city."""
        if not districts and not units:
            return cls.everything()
        return cls(districts=frozenset(districts), units=frozenset(units))

    def with_children(self, directory: UnitDirectory) -> Scope:
        """The same scope with every unit that lies in it, whatever day it existed on: what was decided stays visible."""
        if self.all:
            return self
        units = set(self.units) | {unit.name for unit in directory.units if unit.district in self.districts}
        grown = True
        while grown:
            children = {unit.name for unit in directory.units if unit.parent in units} - units
            units |= children
            grown = bool(children)
        return replace(self, units=frozenset(units))

    def covers(self, *, unit: str | None = None, district: str | None = None) -> bool:
        """Whether a unit or a district lies inside. A matter of which both are known is inside with either."""
        if self.all or (unit is None and district is None):
            return True
        return unit in self.units or district in self.districts

    def says(self) -> str:
        """The scope in words."""
        if self.all:
            return "全市"
        named = sorted(self.districts) + sorted(self.units)
        return "、".join(named[:5]) + (f"等 {len(named)} 个" if len(named) > 5 else "")


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who asks for something.

    ``name``: account, ``key:<id>``, or ``local``; ``display``: shown to people; ``roles``: ids of
    :data:`service.access.roles.ROLES`. ``actions``: what a key is narrowed to; None for all that its roles may do.
    """

    name: str
    display: str
    roles: frozenset[str]
    scope: Scope
    via: Literal["session", "key", "local"]
    actions: frozenset[str] | None = None

    def may(self, action: str, *, unit: str | None = None, district: str | None = None) -> Answer:
        """Whether it is allowed. Unknown actions are refused."""
        title = ACTIONS.get(action)
        if title is None:
            return Answer(False, f"没有“{action}”这种操作")
        held = [role.title for role in ROLES.values() if role.id in self.roles and action in role.actions]
        if not held:
            mine = titles(self.roles) or "没有任何角色"
            return Answer(False, f"{title}需要角色“{'”或“'.join(holders(action))}”，你现在的角色是：{mine}")
        if self.actions is not None and action not in self.actions:
            return Answer(False, f"这个接口密钥没有开放“{title}”")
        if not self.scope.covers(unit=unit, district=district):
            return Answer(False, f"“{unit or district}”不在你的范围（{self.scope.says()}）之内")
        if self.via == LOCAL:
            return Answer(True, "还没有建立账号，本机可以使用全部功能")
        return Answer(True, f"角色“{held[0]}”可以{title}，范围：{self.scope.says()}")

    def role_for(self, action: str) -> str:
        """The role under which the actor does it, for the record; empty if none allows it."""
        if self.via == LOCAL:
            return LOCAL
        return next((role.id for role in ROLES.values() if role.id in self.roles and action in role.actions), "")


#: Whoever sits at the machine while it has no account. The service then listens to that machine only.
THIS_MACHINE = Actor(LOCAL, "本机", frozenset(ROLES), Scope.everything(), LOCAL)
