"""While recent orders are still being read, the part on hot matters says so and asks again; then it stops asking."""

from __future__ import annotations

from service.pages.render import ENVIRONMENT


def shown(*, waiting: int) -> str:
    return ENVIRONMENT.get_template("overview/hot.html").render(matters=[], waiting=waiting, compared=640)


def test_it_asks_again_until_all_is_read() -> None:
    reading, done = shown(waiting=1200), shown(waiting=0)
    assert 'hx-get="/overview/hot"' in reading and "1,200 条近期工单没有读完" in reading
    assert "没有异常集中" not in reading, "nothing is said before it is known"
    assert "hx-get" not in done and "比较了 640 条" in done
