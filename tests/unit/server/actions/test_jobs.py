"""A check that is done by the server itself."""

import pytest
from builders import Cast

from models import CHECK, Job, User, database, transact
from server.actions import accounts, jobs
from server.errors import Conflict
from server.passwords import Passwords


def checked(cast: Cast) -> Job:
    """What a check has left, which is done at once."""
    job = Job.create(kind=CHECK)
    jobs.Checking(job.id, cast.files).run()
    return Job.get_by_id(job.id)


def test_of_many_faults_some_are_told(cast: Cast) -> None:
    """All faults are counted, and the first hundred of them kept."""
    for number in range(jobs.MOST_TOLD + 20):
        accounts.add_user(Passwords(1), f"user{number}", None)
    User.update(username_key=User.username_key.concat("!")).where(User.username.startswith("user")).execute()
    job = checked(cast)
    assert (job.faults, len(job.found.splitlines())) == (jobs.MOST_TOLD + 20, jobs.MOST_TOLD)
    assert all(line.endswith("it is not found under its name") for line in job.found.splitlines())
    assert job.ended_at is not None and not job.goes_on


def test_a_check_that_cannot_go_on_says_so(cast: Cast) -> None:
    """Where the store fails in the middle of it that is a fault, and the check has ended."""
    database.execute_sql("DROP TABLE call_entry")
    job = checked(cast)
    assert (job.faults, job.found) == (1, "The check was broken off; the log says why.")
    assert job.ended_at is not None


def test_two_do_not_begin(cast: Cast) -> None:
    """While one goes on, in whichever process, no other begins, and nothing of it is left."""
    Job.create(kind=CHECK)
    with pytest.raises(Conflict):
        transact(lambda: jobs.begin_check(cast.files), writes=True)
    assert Job.select().count() == 1
