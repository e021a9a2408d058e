"""What options of several commands take."""

from collections.abc import Collection
from typing import Any

import click


class Several(click.ParamType):
    """Some of the *choices*, with commas between."""

    name = "list"

    def __init__(self, choices: Collection[str]) -> None:
        self.choices = choices

    def convert(self, value: Any, param: Any, context: Any) -> list[str]:
        words = value.split(",") if isinstance(value, str) else value
        for word in words:
            if word not in self.choices:
                self.fail(f"{word!r} is none of {', '.join(self.choices)}.", param, context)
        return list(words)
