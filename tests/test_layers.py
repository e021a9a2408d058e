"""Who may import whom, read off the source."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Each layer and the layers it may import from; what is not named here is the outermost, and may import all.
MAY_IMPORT = {
    "models": set(),
    "server.errors": set(),
    "server.config": set(),
    "server.http": set(),
    "server.addresses": {"server.config", "server.errors"},
    "server.threads": set(),
    "server.logs": {"server.config"},
    "server.metrics": {"models", "server.logs"},
    "server.load": {"models", "server.logs", "server.storing"},
    "server.storing": {"models", "server.errors"},
    "server.proxies": {"server.addresses", "server.http"},
    "server.text": {"models"},
    "server.files": set(),
    "server.turns": {"server.errors"},
    "server.pictures": {"server.errors", "server.turns"},
    "server.passwords": {"server.errors", "server.turns"},
    "server.wire": {"server.errors"},
    "server.cookbook": set(),
    "server.actions": {
        "models",
        "server.config",
        "server.errors",
        "server.files",
        "server.passwords",
        "server.pictures",
        "server.text",
    },
    "server.visits": {
        "models",
        "server.actions",
        "server.config",
        "server.errors",
        "server.files",
        "server.passwords",
        "server.http",
        "server.storing",
        "server.wire",
    },
    "server.listeners": {"models", "server.config", "server.faces", "server.visits"},
    "server.rest": {
        "server.actions",
        "server.config",
        "server.errors",
        "server.http",
        "server.storing",
        "server.visits",
        "server.wire",
    },
    "server.pages": {
        "server.config",
        "server.errors",
        "server.http",
        "server.rest",
        "server.visits",
        "server.wire",
    },
    "server.faces": {
        "models",
        "server.actions",
        "server.config",
        "server.cookbook",
        "server.errors",
        "server.text",
        "server.visits",
        "server.wire",
    },
}
SOURCES = sorted([*ROOT.glob("models/**/*.py"), *ROOT.glob("server/**/*.py")])


def layer(module: str) -> str | None:
    return next((name for name in MAY_IMPORT if module == name or module.startswith(f"{name}.")), None)


def module_of(path: Path) -> list[str]:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports(path: Path) -> Iterator[str]:
    package = list(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join(base + ([node.module] if node.module else []))
            yield from (f"{stem}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_inward(path: Path) -> None:
    """Data flows one way, so a layer imports only from those further in."""
    mine = layer(".".join(module_of(path)))
    for module in imports(path):
        theirs = layer(module)
        if mine and module.split(".")[0] in ("models", "server") and module != "server.__version__":
            assert theirs in {mine} | MAY_IMPORT[mine], f"{path} imports {module}"


EVERY_COMMAND = "from server.__main__ import main; list(main.commands.values())"


@pytest.mark.parametrize(
    ("begun", "unwanted"),
    [
        ("import server.gate", {"psycopg", "lxml.etree", "PIL"}),
        (EVERY_COMMAND, {"psycopg"}),
        ("from server.__main__ import main; main.commands['serve']", {"psycopg", "werkzeug", "PIL"}),
        ("import server.supervisor", {"peewee", "werkzeug", "click"}),
    ],
)
def test_a_process_loads_only_what_it_needs(begun: str, unwanted: set[str]) -> None:
    """What supervises stays small, serving begins soon, and no driver is loaded beside SQLite."""
    said = f"import sys; {begun}; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", said], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.split())
    assert "server" in loaded and loaded & unwanted == set()


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("sqlite", ["PRAGMA", "sqlite_master", "VACUUM", "AUTOINCREMENT"]),
        ("postgresql", ["pg_current", "LOCK TABLE", "BIGSERIAL", "plpgsql"]),
    ],
)
def test_one_file_knows_the_engine(engine: str, words: list[str]) -> None:
    """What only one engine understands stands in its own file."""
    knowing = {str(path.relative_to(ROOT)) for path in SOURCES if any(w in path.read_text() for w in words)}
    assert knowing == {f"models/engines/{engine}.py"}


def test_every_folder_of_code_is_a_package() -> None:
    """What is not a package is left out when the program is installed."""
    folders = {path.parent for path in SOURCES}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
