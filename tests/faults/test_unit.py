"""The unit for systemd, as it is delivered: what it says, and the server confined as it would be."""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import confined
import pytest
from conftest import Live
from fleet import filled_in, program

import server

CONFINED = Path(confined.__file__)
PASSWORD = "not a secret"
UNIT = Path(server.__file__).parent / "deploy" / "switchboard.service"
# In tenths, of what systemd calls exposure; 10 is the worst.
EXPOSED = 15
STOPS_WITHIN = 10


def unit(option: str) -> list[str]:
    """What the unit says of an option, line by line."""
    return [
        value
        for name, _, value in (line.partition("=") for line in UNIT.read_text().splitlines())
        if name == option
    ]


def test_the_unit_is_one(tmp_path: Path) -> None:
    """The unit has no fault that systemd knows, and is as closed as can be."""
    text = filled_in(UNIT, **{"/opt/switchboard/bin/switchboard serve": sys.executable})
    (tmp_path / UNIT.name).write_text(text)
    for words in (["verify", "--man=no"], ["security", "--offline=yes", f"--threshold={EXPOSED}"]):
        command = [program("systemd-analyze"), *words, str(tmp_path / UNIT.name)]
        judged = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert (judged.returncode, judged.stderr) == (0, "")


def test_the_unit_leaves_time_to_end() -> None:
    """The supervising process alone is told to end, and has more time for it than it takes."""
    assert unit("KillMode") == ["mixed"]
    assert int(unit("TimeoutStopSec")[0]) > STOPS_WITHIN


def test_the_unit_says_how_other_commands_are_run() -> None:
    """The command that the unit names for root has the user, folder, settings and program of the unit."""
    comment = " ".join(line.strip("# \\") for line in UNIT.read_text().splitlines() if line.startswith("#"))
    told = comment[comment.index("systemd-run") :].split()
    assert f"--uid={unit('User')[0]}" in told
    assert f"--working-directory={unit('WorkingDirectory')[0]}" in told
    assert f"--property=EnvironmentFile={unit('EnvironmentFile')[0]}" in told
    assert unit("ExecStart")[0].split()[0] in told
    known = subprocess.run(
        [program("systemd-run"), "--help"], capture_output=True, text=True, timeout=30
    ).stdout
    assert [word for word in told if word.startswith("--") and word.partition("=")[0] not in known] == []


@pytest.fixture
def confining(tmp_path: Path) -> str:
    """A Python that has only the system calls of the unit, as the kernel lets a program restrict itself."""
    said = [program("systemd-analyze"), "syscall-filter"]
    allowed, denied = (calls(said, *words.removeprefix("~").split()) for words in unit("SystemCallFilter"))
    families = [str(getattr(socket, name).value) for name in unit("RestrictAddressFamilies")[0].split()]
    command = [sys.executable, str(CONFINED), ",".join(families), ",".join(sorted(allowed - denied))]
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    wrapper.chmod(0o755)
    return str(wrapper)


def calls(command: list[str], *groups: str) -> set[str]:
    """The system calls in these groups, and in those that they name."""
    shown = subprocess.run([*command, *groups], capture_output=True, text=True, timeout=30, check=True).stdout
    words = {line.strip() for line in shown.splitlines() if line.startswith("    ") and "#" not in line}
    inner = {word for word in words if word.startswith("@")}
    return words - inner | (calls(command, *inner) if inner else set())


TAKEN = {
    "a call": "import os; os.chroot('/')",
    "a socket": "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "memory": "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)",
}


@pytest.mark.parametrize("what", TAKEN)
def test_the_unit_takes_away(confining: str, what: str) -> None:
    """A program that is confined like the server fails where it needs what the unit takes away."""
    ended = subprocess.run([confining, "-c", TAKEN[what]], capture_output=True, text=True, timeout=30)
    assert re.search("PermissionError|not supported", ended.stderr)


def test_the_server_works_as_confined_as_in_its_unit(
    confining: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what the unit leaves it of calls, addresses and memory, the server answers and ends well."""
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", confining)
        # The demo stores pictures and hashes passwords.
        live = Live(tmp_path, "--demo", database=f"sqlite:///{tmp_path}/live.db")
    try:
        assert filters(live.process.pid) == filters(os.getpid()) + 3
        member = live.member(password=PASSWORD)
        assert live.proxy().login(member.name.encode(), PASSWORD.encode())["result"]
        assert member.rpc.new_conversation([b"ann"], b"Hello", b"there")["result"]
    finally:
        assert live.stop() == 0


def filters(pid: int) -> int:
    """How many filters of system calls a process has."""
    [number] = re.findall(r"^Seccomp_filters:\t(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(number)
