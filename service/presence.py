"""Who has an order open right now. A hint between people, never a lock: the queue's revision decides who goes first."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, insert, select, update

from service.db.engine import reading, writing
from service.db.tables_queue import ORDER_PRESENCE
from service.order_queue import utc

#: A window that was not heard of for so long is closed.
GONE = timedelta(seconds=45)


def arrive(engine: Engine, order_id: str, *, window: str, actor: str, at: datetime) -> None:
    """A window shows the order; called again it says that it still does. Windows that are gone are cleared away."""
    key = (ORDER_PRESENCE.c.order_id == order_id) & (ORDER_PRESENCE.c.window_id == window)
    with writing(engine) as connection:
        connection.execute(delete(ORDER_PRESENCE).where(ORDER_PRESENCE.c.seen_at < utc(at - GONE)))
        heard = connection.execute(update(ORDER_PRESENCE).where(key).values(actor=actor, seen_at=utc(at)))
        if heard.rowcount == 0:
            connection.execute(
                insert(ORDER_PRESENCE).values(order_id=order_id, window_id=window, actor=actor, seen_at=utc(at))
            )
        connection.commit()


def leave(engine: Engine, order_id: str, *, window: str) -> None:
    """The window shows the order no more."""
    with writing(engine) as connection:
        connection.execute(
            delete(ORDER_PRESENCE).where(ORDER_PRESENCE.c.order_id == order_id, ORDER_PRESENCE.c.window_id == window)
        )
        connection.commit()


def others(engine: Engine, order_id: str, *, window: str, at: datetime) -> list[str]:
    """Who else has the order open, in windows other than this one; each name once."""
    query = select(ORDER_PRESENCE.c.actor).where(
        ORDER_PRESENCE.c.order_id == order_id,
        ORDER_PRESENCE.c.window_id != window,
        ORDER_PRESENCE.c.seen_at >= utc(at - GONE),
    )
    with reading(engine) as connection:
        return sorted(set(connection.execute(query).scalars()))
