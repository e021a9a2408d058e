"""What it takes to count, and that it takes nothing where nobody may read it."""

import os
import subprocess
import sys
from pathlib import Path

from server.config import Settings

# All labels that there are, as a process would come to know them.
COUNT_ALL = """
import os, sys
from pathlib import Path
from server.app import UNKNOWN, App
from server.config import Settings
from server.listeners import Hub
from server.metrics import FOLDER, ROOM
app = App(Settings(database=sys.argv[1], metrics="on"))
for method, door in [*app.doors.items(), UNKNOWN[::-1]]:
    for outcome in ("ok", "refused 403", "fault -32603"):
        app.metrics.count(door, method, outcome, 1.0)
numbers = [400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 500, 503, -32700, -32601, -32602, -32603]
for door in {UNKNOWN[0], *app.doors.values()}:
    for number in numbers:
        app.metrics.count(door, "unknown", f"fault {number}", None)
app.metrics.see(1, 2)
files = list(Path(os.environ[FOLDER]).iterdir())
used = [int.from_bytes(file.read_bytes()[:4], "little") for file in files]
assert [file.stat().st_size for file in files] == [ROOM] * 3, used
assert len(app.doors) > 100 and min(used) > 8, used
print(max(used))
"""
LOADED = """
import sys
from server.app import App
from server.config import Settings
assert App(Settings(database=sys.argv[1])).metrics is None
print("prometheus_client" in sys.modules)
"""


def run(program: str, settings: Settings, folder: Path) -> str:
    """What a *program* in a process of its own says, to which the library is still new."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", program, settings.database]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_there_is_room_for_every_label(settings: Settings, tmp_path: Path) -> None:
    """All labels that there are fit into the room that a process takes when it starts."""
    folder = tmp_path / "counted"
    folder.mkdir()
    assert int(run(COUNT_ALL, settings, folder)) < 2**20


def test_nothing_is_loaded_for_nobody(settings: Settings, tmp_path: Path) -> None:
    """Where nobody may read what is counted the library is not loaded."""
    assert run(LOADED, settings, tmp_path) == "False"
