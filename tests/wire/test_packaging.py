"""What is installed: the package and its examples, the container's steps by hand, help, and completion."""

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner
from conftest import Live
from fleet import free_port

import server
from server.__main__ import main
from server.commands.deploy import EXAMPLES
from server.config import Settings

ROOT = Path(__file__).parent.parent.parent
DEPLOY = Path(server.__file__).parent / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
COMPOSED = ("compose.yaml", "compose.postgresql.yaml")
STOPS_WITHIN = 10
WIDTH = 100
SECONDS = 30
# Of what pip installs each module is compiled when it is first needed.
LAZY = {**os.environ, "PIP_NO_COMPILE": "1"}


def said(*words: str, **extra: Any) -> str:
    """What a command that succeeds writes to standard output."""
    result = CliRunner().invoke(main, words, prog_name="switchboard", catch_exceptions=False, **extra)
    assert result.exit_code == 0, result.output
    return result.stdout


# The package


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is built from what the Dockerfile copies, and from nothing else."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for *froms, to in re.findall(r"^COPY (?!--from)(.+) (\S+)$", DOCKERFILE, re.M):
        for name in " ".join(froms).split():
            copied(ROOT / name, source / name if to == "./" else source / to)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(target), str(source)]
    built = subprocess.run(command, env=LAZY, capture_output=True, text=True, timeout=90)
    if "setuptools" in built.stderr and "No matching distribution" in built.stderr:
        pytest.skip("pip cannot fetch what builds packages")
    assert built.returncode == 0, built.stderr
    [made] = target.glob("*.whl")
    return made


def copied(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(source, target)


def test_the_package_holds_all_that_it_needs(wheel: Path) -> None:
    """What is installed has every module and every example, and no test."""
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}
    delivered = [path for folder in ("models", "server") for path in (ROOT / folder).rglob("*")]
    assert names == {
        str(path.relative_to(ROOT))
        for path in delivered
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def test_the_installed_command_has_its_files(wheel: Path, tmp_path: Path) -> None:
    """Installing the package gives the command, which shows the examples that came with it."""
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path)]
    subprocess.run([*install, str(wheel)], env=LAZY, capture_output=True, timeout=90, check=True)
    command = [str(tmp_path / "bin" / "switchboard"), "deploy", "show", "systemd"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    shown = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, timeout=SECONDS)
    assert shown.stdout == (DEPLOY / "switchboard.service").read_bytes()


# The examples


def test_every_example_has_a_name() -> None:
    """Each file that is delivered can be asked for, and each name has its file."""
    assert {file for file, _ in EXAMPLES.values()} == {path.name for path in DEPLOY.iterdir()}
    assert [line.split("\t")[0] for line in said("deploy", "list").splitlines()] == list(EXAMPLES)


def test_who_names_no_example_is_told_where_they_stand() -> None:
    """`deploy show` alone is refused in one sentence that names the list."""
    refused = CliRunner().invoke(main, ["deploy", "show"])
    assert "switchboard deploy list tells the names" in refused.stderr
    assert len([line for line in refused.stderr.splitlines() if line.startswith("Error: ")]) == 1
    assert "\t" not in refused.stderr


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_shown_as_it_is(name: str) -> None:
    """`deploy show` writes the very bytes of the file."""
    assert said("deploy", "show", name) == (DEPLOY / EXAMPLES[name][0]).read_text()


def test_an_example_is_shown_where_a_terminal_has_few_signs() -> None:
    """`deploy show` writes the file also where the system's own encoding has not all of its signs."""
    odd = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "server", "deploy", "show", "systemd"]
    shown = subprocess.run(command, env={**os.environ, **odd}, capture_output=True, timeout=SECONDS)
    assert shown.stdout == (DEPLOY / "switchboard.service").read_bytes()


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_know_the_settings(name: str) -> None:
    """Every variable of ours that an example names is a setting."""
    text = (DEPLOY / EXAMPLES[name][0]).read_text()
    assert set(re.findall(r"SWITCHBOARD_[A-Z_]+", text)) <= Settings().environment().keys()


@pytest.mark.parametrize("name", ["nginx", "haproxy", "caddy"])
def test_a_proxy_finds_the_server(name: str) -> None:
    """Each proxy's example sends to the one address at which the unit and the container's example serve."""
    text = (DEPLOY / EXAMPLES[name][0]).read_text()
    counts = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    place = f"{Settings().host}:{Settings().port}"
    assert set(re.findall(r"[\d.]+:\d{4}", counts)) == {place}
    [published] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["switchboard"]["ports"]
    assert published.startswith(f"{place}:")
    assert "--port" not in (DEPLOY / "switchboard.service").read_text()


# The container, by hand


def test_the_container_runs_as_nobody_in_particular() -> None:
    """The last user whom the image names is the one it has made, and it is not root."""
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.M) == ["switchboard"]
    assert re.search(r"useradd .*--uid [1-9]\d{3,} .* switchboard ", DOCKERFILE)


def is_well(port: int) -> bool:
    """What the image's health check says of a server at this port of this machine."""
    [line] = re.findall(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", DOCKERFILE, re.M)
    program, *arguments = json.loads(line)
    assert program == "python"
    environment = {**os.environ, "SWITCHBOARD_PORT": str(port)}
    checked = subprocess.run(
        [sys.executable, *arguments], env=environment, timeout=SECONDS, capture_output=True
    )
    return checked.returncode == 0


def test_the_health_check_tells_who_answers(live: Live) -> None:
    """The image's health check passes where a server answers, and nowhere else."""
    assert is_well(int(live.address.rpartition(":")[2]))
    assert not is_well(free_port())


def test_nothing_is_ignored_that_is_copied() -> None:
    """What the image is made of is what the build is given, which has no secrets and no store."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        name for words in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M) for name in words.split()
    }
    assert "*" in lines
    assert let_in == copied
    assert all((ROOT / name).exists() for name in copied)


@pytest.fixture(params=COMPOSED)
def composed(request: pytest.FixtureRequest) -> Any:
    return yaml.safe_load((DEPLOY / request.param).read_text())


def ours(composed: Any) -> list[Any]:
    """The services that are made of the image."""
    return [each for each in composed["services"].values() if "build" in each]


def test_composed_services_are_built_of_the_checkout(composed: Any) -> None:
    """Each of our services names the checkout, the Dockerfile in it, and arguments which that takes."""
    for build in (each["build"] for each in ours(composed)):
        assert (DEPLOY / build["context"]).resolve() == ROOT.resolve()
        assert (ROOT / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")
        assert set(build.get("args", {})) <= set(re.findall(r"^ARG (\w+)", DOCKERFILE, re.M))


def test_composed_services_have_time_to_end(composed: Any) -> None:
    """Each of our services is given more time to end than it takes."""
    for each in ours(composed):
        assert int(each["stop_grace_period"].removesuffix("s")) > STOPS_WITHIN


def test_composed_volumes_are_there(composed: Any) -> None:
    """What services keep is a volume that is declared, or a file that is delivered; ours keep it in /data."""
    for service in composed["services"].values():
        for source, target in (volume.split(":")[:2] for volume in service.get("volumes", [])):
            assert source in composed["volumes"] or (DEPLOY / source).is_file()
            assert service not in ours(composed) or target == "/data"


def test_composed_caddy_knows_the_others() -> None:
    """Caddy has the servers' names and port, and they believe its address alone."""
    services = yaml.safe_load((DEPLOY / "compose.postgresql.yaml").read_text())["services"]
    caddy = services["caddy"]
    [port] = re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.M)
    named = [place.split(":") for place in caddy["environment"]["SERVERS"].split()]
    assert all(name in services and at == port for name, at in named)
    [inside] = caddy["networks"].values()
    assert services["one"]["environment"]["SWITCHBOARD_PROXIES"] == inside["ipv4_address"]
    known = set(re.findall(r"\{\$(\w+)", (DEPLOY / "Caddyfile").read_text()))
    assert set(caddy["environment"]) == known


def test_composed_caddy_has_its_address_alone() -> None:
    """Caddy's address is in its network, and not among those that are handed out to others."""
    composed = yaml.safe_load((DEPLOY / "compose.postgresql.yaml").read_text())
    [(name, inside)] = composed["services"]["caddy"]["networks"].items()
    [given] = composed["networks"][name]["ipam"]["config"]
    network, others = ip_network(given["subnet"]), ip_network(given["ip_range"])
    assert others.subnet_of(network)
    assert ip_address(inside["ipv4_address"]) in set(network) - set(others)


# Help


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*path, name))


def found(path: tuple[str, ...]) -> Any:
    command: Any = main
    for name in path:
        command = command.commands[name]
    return command


EVERY = [pytest.param(path, id=" ".join(path) or "switchboard") for path in commands(main)]


@pytest.mark.parametrize("path", EVERY)
def test_every_command_and_option_has_help(path: tuple[str, ...]) -> None:
    """Each command says what it does, and each of its options what it is for."""
    command = found(path)
    assert command.help
    assert [each.name for each in command.params if isinstance(each, click.Option) and not each.help] == []


@pytest.mark.parametrize("path", EVERY)
def test_help_fits_a_terminal(path: tuple[str, ...]) -> None:
    """No line of help is wider than the terminal, and no summary of a command is cut."""
    lines = said(*path, "--help", terminal_width=WIDTH).splitlines()
    assert [line for line in lines if len(line) > WIDTH] == []
    assert [line for line in lines[1:] if line.endswith("...")] == []


@pytest.mark.parametrize("path", EVERY)
def test_examples_of_help_are_commands(path: tuple[str, ...]) -> None:
    """Each example in a command's help is one of that command."""
    epilog = found(path).epilog or ""
    examples = [line.strip() for line in epilog.splitlines() if "switchboard" in line]
    for line in examples:
        words = shlex.split(line.partition("switchboard ")[2], comments=True)
        assert tuple(words[: len(path)]) == path, line


def test_every_command_stands_once_in_the_list() -> None:
    """The program's own help lists each command once, under a heading."""
    _, *sections = said("--help").split("\n\n")
    listed = re.findall(r"^  ([a-z]+) ", "\n".join(sections[1:]), re.M)
    assert sorted(listed) == sorted(main.commands)


# Completion


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A search path on which `switchboard` is this program."""
    command = tmp_path / "switchboard"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m server "$@"\n')
    command.chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(switchboard completion bash)"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -U compinit && compinit -u -D && source <(switchboard completion zsh)",
    ),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes(shell: str, path: str, tmp_path: Path) -> None:
    """An option that was begun is completed when the tabulator key is pressed."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    command, loads = SHELLS[shell]
    screen, terminal = pty.openpty()
    environment = {**os.environ, "PATH": path, "HOME": str(tmp_path), "TERM": "dumb", "PS1": "$ "}
    process = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, start_new_session=True
    )
    os.close(terminal)
    try:
        os.write(screen, f"{loads}; echo LOA''DED\n".encode())
        until(screen, rb"LOADED")
        os.write(screen, b"switchboard token add --lab\t")
        until(screen, rb"--label")
    finally:
        process.kill()
        process.wait()
        os.close(screen)


def test_fish_completes(path: str, tmp_path: Path) -> None:
    """The shell that can be asked what it would complete names the command."""
    if shutil.which("fish") is None:
        pytest.skip("there is no fish here")
    asked = 'switchboard completion fish | source; complete -C "switchboard comple"'
    environment = {**os.environ, "PATH": path, "HOME": str(tmp_path)}
    command = ["fish", "--no-config", "-c", asked]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert answer.stdout.startswith("completion\t")


def until(screen: int, pattern: bytes) -> None:
    """Read what a terminal shows until this stands there."""
    seen, latest = b"", time.monotonic() + SECONDS
    while not re.search(pattern, seen):
        assert time.monotonic() < latest, seen
        seen += os.read(screen, 10_000)
