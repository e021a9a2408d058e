"""Beginning to serve: what is looked at first, what is told, and going on as the process that supervises."""

import dataclasses
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from models import SERVING, address_shown

from .. import __version__
from ..addresses import base_address, free_address, is_loopback, own_host, stands_for_all
from ..config import Settings, variable
from ..errors import Unavailable
from ..files import Files
from ..stores import shared_use
from .opening import (
    must_be_writable,
    must_keep_files,
    opened,
    place_of,
    reported,
    settings_options,
)

if TYPE_CHECKING:
    from .. import demo

STOPPING = (signal.SIGTERM, signal.SIGINT)
# Told to the C library: what takes a megabyte or more, as hashing a password does, goes back to the system
# when it is done with. Else it learns to keep such pieces, one for every thread that had any.
ALLOCATING = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}


@click.command()
@settings_options()
@click.option(
    "--demo",
    "with_demo",
    is_flag=True,
    envvar=variable("demo"),
    show_envvar=True,
    help="Fill an empty store with a small cast to try.",
)
def serve(with_demo: bool, **values: Any) -> None:
    """Answer calls until stopped by SIGTERM or SIGINT, which finishes the calls in flight."""
    settings = Settings(**values)
    with reported():
        must_be_handed_on()
        must_be_writable(settings)
        must_keep_files(settings)
        host, port = free_address(settings.host, settings.port)
    settings = dataclasses.replace(settings, host=host, port=port)
    with reported(), shared_use(place_of(settings)):
        with opened(settings, creates=True) as files:
            cast = demo_cast(settings, files) if with_demo else None
        # Whoever wants it to end from now on is heard by the program that this one goes on as.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        click.echo(greeting(settings, cast))
        go_on_supervising(settings)


def must_be_handed_on() -> None:
    """Refuse to begin from where the program could not go on as another."""
    if found := [path for path in sys.path if os.pathsep in path]:
        raise Unavailable(f"A folder with {os.pathsep} in its name cannot hold the program: {found[0]}")


def demo_cast(settings: Settings, files: Files) -> "demo.Cast | None":
    """Fill an empty store, for which all that can be done in one is loaded."""
    from .. import demo

    return demo.fill(settings, files)


def go_on_supervising(settings: Settings) -> NoReturn:
    """Become the process that supervises, which keeps the id and the lock but nothing of what was loaded."""
    os.environ.update(settings.environment() | SERVING | ALLOCATING)
    # The same modules from the same places, whichever way this program was begun.
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    os.execv(sys.executable, [sys.executable, "-P", "-m", "server.supervisor"])  # noqa: S606 (of this program alone)


def greeting(settings: Settings, cast: "demo.Cast | None") -> str:
    """What there is to know before the first call."""
    base = settings.url.rstrip("/") or base_address(settings)
    lines = [
        f"Switchboard {__version__}",
        f"  forum apps:  {base}/mobiquo/mobiquo.php (or the short {base}/RPC2)",
        f"  game server: {base}/RPC2",
        f"  websites:    {base}/chat",
        f"  members:     {base}/ and {base}/inbox",
        f"  admins:      {base}/admin",
        f"  reference:   {base}/docs and {base}/openapi.json",
        f"  store:       {address_shown(settings.database)}, files in {settings.files_folder}",
    ]
    if not settings.url and stands_for_all(settings.host):
        lines.append(f"  from elsewhere: the name of this machine in the place of {own_host(settings.host)}")
    if not (is_loopback(settings.host) or settings.proxies or settings.url.startswith("https:")):
        lines.append(
            "  WARNING: this address can be reached from elsewhere and passwords travel readable; put a proxy"
            " with TLS in front and set --url."
        )
    return "\n".join(lines + (cast_lines(base, cast) if cast else []))


def cast_lines(base: str, cast: "demo.Cast") -> list[str]:
    name, password = next(iter(cast.passwords.items()))
    signed_in = base.replace("://", f"://{name}:{password}@")
    script = f'from xmlrpc.client import ServerProxy; print(ServerProxy("{signed_in}/RPC2").get_inbox_stat())'
    call = "<methodCall><methodName>get_inbox_stat</methodName></methodCall>"
    as_server = base.replace("://", f"://server:{cast.server_key}@")
    game = f'ServerProxy("{as_server}/RPC2").Messages_SendMessageToNumber("{cast.numbers[name]}", "Hello")'
    return [
        "  people:",
        *(
            f"    {who}: password {cast.passwords[who]}, number {cast.numbers[who]}, token {cast.tokens[who]}"
            for who in cast.passwords
        ),
        f"  server key:  {cast.server_key}",
        "  try it, in Python as a member and as a game server, and with curl:",
        f"    {script}",
        f"    from xmlrpc.client import ServerProxy; print({game})",
        f"""    curl -u {name}:{password} -d '{call}' {base}/RPC2""",
    ]
