"""Starting and stopping the server: one supervising process, and the workers that answer."""

import http.client
import ipaddress
import multiprocessing
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from models import SERVING, address_shown

from . import __version__
from .config import Settings
from .demo import Cast
from .errors import Unavailable
from .logs import configuration
from .proxies import is_loopback

STOP_SECONDS = 8
BACKLOG = 4096
HEADER_MILLISECONDS = 10_000
# What a head may take, and how much of a body is read at once.
HEADER_BYTES = 64 * 1024
# Told to the C library of the workers: what takes a megabyte or more, as hashing a password does, goes back
# to the system when it is done with. Else it learns to keep such pieces, one for every thread that had any.
ALLOCATING = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Answer at the settings' address until SIGTERM or SIGINT; *announce* is given what to tell the user."""
    os.environ.update(settings.environment() | SERVING | ALLOCATING)
    # A forked worker would inherit the locks that other threads happen to hold, and wait for them for ever.
    multiprocessing.set_start_method("spawn")
    server = Granian(
        "server.gate:open_gate",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        workers=settings.workers,
        http=HTTPModes.http1,
        websockets=False,
        backlog=BACKLOG,
        respawn_failed_workers=True,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=HEADER_BYTES),
        workers_kill_timeout=STOP_SECONDS,
        log_level=LogLevels.warning,
        log_dictconfig=configuration(settings),
    )
    waiter = threading.Thread(target=wait_until_ready, args=(settings, announce), daemon=True)
    server.on_startup(waiter.start)
    with room_for_metrics(settings):
        server.serve()


@contextmanager
def room_for_metrics(settings: Settings) -> Iterator[None]:
    """A folder in which all processes count, while the server runs; none where nothing is counted."""
    if settings.metrics == "off":
        yield
        return
    with tempfile.TemporaryDirectory(prefix="switchboard-metrics-") as folder:
        # By this name the library that counts knows it; it must not be loaded here.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def greeting(settings: Settings, cast: Cast | None) -> str:
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


def cast_lines(base: str, cast: Cast) -> list[str]:
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


def base_address(settings: Settings) -> str:
    """Where a client on this machine finds the server."""
    host = own_host(settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def own_host(host: str) -> str:
    """*host*, or the loopback address where it stands for all addresses there are."""
    if not stands_for_all(host):
        return host
    return "::1" if ":" in host else "127.0.0.1"


def stands_for_all(host: str) -> bool:
    """Whether a server at *host* can be reached by every address of this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def wait_until_ready(settings: Settings, announce: Callable[[str], None]) -> None:
    """Announce the server once it answers."""
    while not answers(settings):
        time.sleep(0.02)
    announce(f"Switchboard {__version__} is ready at {base_address(settings)}/")


def answers(settings: Settings) -> bool:
    connection = http.client.HTTPConnection(own_host(settings.host), settings.port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_address(host: str, port: int) -> tuple[str, int]:
    """The address that *host* stands for and the *port*, or a free one for 0, where nobody listens yet.

    The workers share their address by SO_REUSEPORT, with which a second server would start without a word
    and take half of the calls.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            host, port = probe.getsockname()[:2]
            return host, port
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unavailable(
            f"Cannot listen at {host}, port {port}: {reason}; another --port or --host may do."
        ) from error
