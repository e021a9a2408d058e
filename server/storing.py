"""What becomes of work where the store or the disk fails."""

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from models import TROUBLES, impatient, is_trouble, transact, trouble

from .errors import Unavailable

log = logging.getLogger(__name__)


@contextmanager
def storage() -> Iterator[None]:
    """Where the store or the disk fails, a refusal that says why; nothing is half done then."""
    try:
        yield
    except OSError as error:
        log.warning("the files failed: %s", error)
        what = "is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "does not answer"
        raise Unavailable(f"The storage {what}. Please try again later.") from error
    except Exception as error:
        if not is_trouble(error):
            raise
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
