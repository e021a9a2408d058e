"""The whole session once more, by clients in other languages, each where it is installed."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from conftest import Live

SCRIPTS = Path(__file__).parents[2] / "fixtures" / "clients"
PASSWORD = "correct hörse"
MESSAGES = 6
SECONDS = 60


@dataclass(frozen=True)
class Client:
    """An interpreter, its script, and a probe that fails where the script lacks something."""

    command: str
    script: str
    probe: tuple[str, ...]
    packages: str


CLIENTS = [
    Client(
        "perl",
        "session.pl",
        ("-e", "use RPC::XML::Client; use HTTP::Request::Common;"),
        "librpc-xml-perl",
    ),
    Client(
        "php",
        "session.php",
        ("-r", "exit(extension_loaded('xmlrpc') && extension_loaded('curl') ? 0 : 1);"),
        "php-cli, php-curl and php-xmlrpc",
    ),
    Client(
        "ruby",
        "session.rb",
        ("-e", "require 'xmlrpc/client'; require 'webrick/cookie'"),
        "ruby and ruby-xmlrpc",
    ),
    Client(
        "node",
        "session.js",
        ("-e", "require('xmlrpc')"),
        "nodejs and npm's xmlrpc, globally or where NODE_PATH says",
    ),
    Client(
        "lua5.1",
        "session.lua",
        ("-e", "require 'xmlrpc.http'"),
        "lua5.1 and lua-xmlrpc",
    ),
]


@cache
def environment() -> dict[str, str]:
    """The environment, in which Node finds what npm has installed for everyone."""
    if "NODE_PATH" in os.environ or not (npm := shutil.which("npm")):
        return dict(os.environ)
    root = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=True).stdout.strip()
    return {**os.environ, "NODE_PATH": root}


def is_installed(client: Client) -> bool:
    if shutil.which(client.command) is None:
        return False
    return run(client.command, *client.probe).returncode == 0


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", env=environment(), timeout=SECONDS, check=False
    )


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.command)
def test_a_client_in_another_language_gets_through_the_whole_session(live: Live, client: Client) -> None:
    """It finds every answer right, and what it did has happened."""
    if not is_installed(client):
        pytest.skip(f"needs {client.packages}")
    people = [live.member(name, password=PASSWORD) for name in ("ann", "bob", "Çelik Ömer", "dave")]
    credentials = [f"{member.name}:{PASSWORD}" for member in people]
    told = run(client.command, str(SCRIPTS / client.script), live.address, *credentials)
    assert told.returncode == 0, told.stderr
    assert re.fullmatch(r"ok \d+ checks\n", told.stdout)

    ann, _, celik, _ = people
    [conversation] = ann.rpc.get_conversations()["list"]
    left = [key for key, person in conversation["participants"].items() if person["has_left"]]
    assert (conversation["total_message_num"], left) == (MESSAGES, [celik.id])
