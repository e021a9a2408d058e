"""What becomes of work where the store or the disk fails."""

import errno
import logging
from collections.abc import Callable
from typing import Any

from models import TROUBLES, impatient, is_trouble, transact, trouble

from .errors import Unavailable

log = logging.getLogger(__name__)


class storage:  # noqa: N801 - it is used like a function of the standard library's contextlib
    """Where the store or the disk fails, a refusal that says why; nothing is half done then.

    A class, because every call comes through here twice: a generator would cost five times as much.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OSError):
            log.warning("the files failed: %s", error)
            what = "is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "does not answer"
            raise Unavailable(f"The storage {what}. Please try again later.") from error
        if error is not None and is_trouble(error):
            log.warning("the store failed: %s", error)
            raise Unavailable(f"{trouble(error)} Please try again later.") from error


def log_failure(what: str, error: Exception) -> None:
    """Log that *what* has failed: in one line where that is the store's trouble, else with the place."""
    if is_trouble(error):
        log.warning("%s: %s (%s)", what, trouble(error), error)
    else:
        log.error(what, exc_info=error)


def quietly(write: Callable[[], Any]) -> None:
    """Do a write that no answer depends on; where the store cannot take it, reading goes on."""
    try:
        with impatient():
            transact(write, writes=True)
    except TROUBLES as error:
        log.warning("not noted: %s", error)
