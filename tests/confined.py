"""Runs Python as systemd runs a service that it confines: FAMILIES and CALLS, then what Python is told.

Three filters, each loaded into the kernel for good: only these calls; no sockets but of these families; no
memory that can be written and carried out.
"""

import ctypes
import errno
import mmap
import os
import socket
import sys

ALLOW, REFUSE = 0x7FFF0000, 0x00050000
MASKED_EQUAL, EQUAL = 7, 4
SHM_EXEC = 0o100000
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p


class Compared(ctypes.Structure):
    """A condition on an argument of a call."""

    _fields_ = [
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    ]


def refused(number: int) -> int:
    return REFUSE | number


class Filter:
    """What is done about system calls, where nothing else is said of them."""

    def __init__(self, action: int) -> None:
        self.context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(action)))

    def add(self, action: int, name: str, *compared: Compared) -> None:
        number = library.seccomp_syscall_resolve_name(name.encode())
        # Below zero are the calls of other machines.
        if number >= 0:
            conditions = (Compared * len(compared))(*compared)
            added = library.seccomp_rule_add_array(
                self.context, ctypes.c_uint32(action), number, len(compared), conditions
            )
            assert added == 0, (name, added)

    def load(self) -> None:
        assert library.seccomp_load(self.context) == 0


def masked(argument: int, bits: int) -> Compared:
    return Compared(argument, MASKED_EQUAL, bits, bits)


def refuse_families(but: list[int]) -> None:
    sockets = Filter(ALLOW)
    for family in {*map(int, socket.AddressFamily)} - {*but}:
        sockets.add(refused(errno.EAFNOSUPPORT), "socket", Compared(0, EQUAL, family))
    sockets.load()


def refuse_writable_code() -> None:
    memory = Filter(ALLOW)
    memory.add(refused(errno.EPERM), "mmap", masked(2, mmap.PROT_WRITE | mmap.PROT_EXEC))
    memory.add(refused(errno.EPERM), "mprotect", masked(2, mmap.PROT_EXEC))
    memory.add(refused(errno.EPERM), "pkey_mprotect", masked(2, mmap.PROT_EXEC))
    memory.add(refused(errno.EPERM), "shmat", masked(2, SHM_EXEC))
    memory.load()


def allow_calls(names: list[str]) -> None:
    calls = Filter(refused(errno.EPERM))
    for name in names:
        calls.add(ALLOW, name)
    calls.load()


def main(families: str, names: str, *arguments: str) -> None:
    refuse_families([int(family) for family in families.split(",")])
    refuse_writable_code()
    # The last one: it refuses to load others.
    allow_calls(names.split(","))
    os.execv(sys.executable, [sys.executable, *arguments])


if __name__ == "__main__":
    main(*sys.argv[1:])
