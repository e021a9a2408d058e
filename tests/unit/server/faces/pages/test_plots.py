"""Plots are pictures that every browser and every reader can take."""

import datetime
from typing import Any

import pytest
from lxml import etree

from server.faces.pages.plots import HEIGHT, WIDTH, plot, round_number
from server.wire.pages import number

START = datetime.datetime(2026, 11, 22, 1, 50, tzinfo=datetime.UTC)
TIMES = [START + place * datetime.timedelta(minutes=10) for place in range(144)]


def drawn(*lines: Any, title: str = "Title", told: str = "Told") -> Any:
    return etree.fromstring(plot("name", title, told, TIMES, lines))


def paths(svg: Any) -> list[str]:
    return [each.get("d") for each in svg.iter("path")]


def test_a_plot_says_in_words_what_it_shows() -> None:
    """Who does not see it is told its title and what it comes to; nothing in them is markup."""
    svg = drawn([1.0] * 144, title="<script>&", told='"</desc><b>')
    assert (svg.findtext("title"), svg.findtext("desc")) == ("<script>&", '"</desc><b>')
    ids = [svg.find(each).get("id") for each in ("title", "desc")]
    assert (svg.get("role"), svg.get("aria-labelledby").split()) == ("img", ids)
    assert not list(svg.iter("script", "b"))


def test_a_plot_brings_no_style() -> None:
    """Its looks are classes, since the pages' policy lets no style in."""
    svg = drawn([1.0] * 144, [2.0] * 144)
    assert [each for each in svg.iter() if "style" in each.attrib] == []
    assert [each.get("class") for each in svg.iter("path")] == ["line solid", "line dashed"]


def test_all_of_it_is_within_the_picture() -> None:
    """Times go from left to right and larger values stand higher, and nothing reaches an edge."""
    values = [float(place) for place in range(144)]
    [path] = paths(drawn(values))
    points = [tuple(map(float, step.split(" "))) for step in path[1:].replace("h0", "").split("L")]
    assert len(points) == 144
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in points)
    assert points == sorted(points) and points[0][1] > points[-1][1]


def test_what_is_missing_is_a_gap() -> None:
    """Where nothing is known the line is broken, and a value alone is a dot."""
    values: list[float | None] = [None] * 144
    values[3], values[4], values[9] = 1.0, 2.0, 2.0
    svg = drawn(values)
    [path] = paths(svg)
    assert (path.count("M"), path.count("L"), path.count("h0")) == (2, 1, 3)
    [dot] = svg.iter("circle")
    assert f"M{dot.get('cx')} {dot.get('cy')}h0" in path and float(dot.get("r")) >= 3


@pytest.mark.parametrize(
    ("value", "written"), [(0, "0"), (0.1234, "0.123"), (34.56, "34.6"), (99.97, "100"), (3480.4, "3480")]
)
def test_numbers_are_as_people_write_them(value: float, written: str) -> None:
    """A number has three digits that count, or all before the point, and no power of ten."""
    assert number(value) == written


def test_hours_stand_below() -> None:
    """Every sixth hour of the day has its time."""
    labels = [each.text for each in drawn([1.0] * 144).iter("text")]
    assert [label for label in labels if ":" in label] == ["06:00", "12:00", "18:00", "00:00"]
    assert labels[:3] == ["0", "0.5", "1"]


@pytest.mark.parametrize(
    ("most", "top"), [(0, 1), (1, 1), (1.1, 2), (2, 2), (3, 5), (5.1, 10), (10, 10), (101, 200), (999, 1000)]
)
def test_the_height_is_a_round_number(most: float, top: float) -> None:
    """The height is the next number of one digit that people count in."""
    assert round_number(most) == top
