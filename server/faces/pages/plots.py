"""Small plots as SVG, made here, so that a page needs no script to show them."""

import datetime
import math
from collections.abc import Iterator, Sequence
from typing import Any

from lxml import etree
from lxml.builder import E
from markupsafe import Markup

from ...wire.pages import number

WIDTH, HEIGHT = 360, 150
# To the right there is room for half of an hour below.
LEFT, RIGHT, TOP, BOTTOM = 48, 20, 12, 22
# Each line of a plot has its own look, which is said in words below it.
LOOKS = ("solid", "dashed")
HOURS = 6
DOT = "3"

Values = Sequence[float | None]


def plot(
    name: str, title: str, told: str, times: Sequence[datetime.datetime], lines: Sequence[Values]
) -> Markup:
    """Lines over *times*, from 0 up; *told* says in words what they show. No value makes a gap."""
    top = round_number(max((value for line in lines for value in line if value is not None), default=0))
    labels = {"role": "img", "aria-labelledby": f"{name}-title {name}-told"}
    svg = E.svg(
        {"class": "plot", "viewBox": f"0 0 {WIDTH} {HEIGHT}", **labels},
        E.title(title, id=f"{name}-title"),
        E.desc(told, id=f"{name}-told"),
        *grid(times, top),
        *(each for line, look in zip(lines, LOOKS, strict=False) for each in drawn(line, top, look)),
    )
    # What is made of elements is markup that is whole, and text in it is escaped.
    return Markup(etree.tostring(svg, encoding="unicode"))  # noqa: S704


def round_number(most: float) -> float:
    """A number with one digit that is at least so much."""
    if most <= 1:
        return 1
    size = 10.0 ** math.floor(math.log10(most))
    return next(step * size for step in (1, 2, 5, 10) if step * size >= most)


def across(place: int, places: int) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * place / max(1, places - 1), 1)


def up(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top, 1)


def grid(times: Sequence[datetime.datetime], top: float) -> Iterator[Any]:
    """Lines and labels behind what is drawn: nothing, half and all of the height, and some hours."""
    for value in (0, top / 2, top):
        y = str(up(value, top))
        yield E.line({"class": "grid", "x1": str(LEFT), "x2": str(WIDTH - RIGHT), "y1": y, "y2": y})
        yield label(number(value), LEFT - 6, up(value, top) + 4, "end")
    for place, time in enumerate(times):
        if time.minute == 0 and time.hour % HOURS == 0:
            yield label(f"{time:%H:%M}", across(place, len(times)), HEIGHT - 6, "middle")


def label(text: str, x: float, y: float, anchor: str) -> Any:
    return E.text(text, {"class": "tick", "x": str(x), "y": str(y), "text-anchor": anchor})


def drawn(line: Values, top: float, look: str) -> Iterator[Any]:
    """A line with its gaps, and a dot where both neighbours of a value are missing."""
    steps, around = [], [None, *line, None]
    for place, value in enumerate(line):
        before, after = around[place], around[place + 2]
        if value is None:
            continue
        x, y = across(place, len(line)), up(value, top)
        steps.append(f"{'M' if before is None else 'L'}{x} {y}h0")
        if before is after is None:
            yield E.circle({"class": f"dot {look}", "cx": str(x), "cy": str(y), "r": DOT})
    yield E.path({"class": f"line {look}", "d": "".join(steps)})
