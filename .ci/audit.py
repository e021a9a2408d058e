"""Whether the packages in a folder have a known hole; the data is PyPI's, and not within reach everywhere."""

import json
import subprocess
import sys

SECONDS = 120
COMMAND = ("pip_audit", "--skip-editable", "--format=json", "--progress-spinner=off", "--timeout=10")


def known(folder: str) -> list[dict[str, object]]:
    """What is known of each package; nothing, and why, where nobody can be asked."""
    command = [sys.executable, "-m", *COMMAND, "--path", folder]
    try:
        # All of the command is written here, but for the folder.
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)  # noqa: S603
        packages = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return []
    except ValueError:
        print(done.stderr.strip().rpartition("\n")[2])
        return []
    return [package for package in packages if "vulns" in package]


def main() -> int:
    packages = known(sys.argv[1])
    holed = [package for package in packages if package["vulns"]]
    if not packages:
        print("Not audited: the data about known holes cannot be reached from here.")
    else:
        print(f"{len(packages)} packages audited, {len(holed)} with known holes.")
    for package in holed:
        print(json.dumps(package))
    return 1 if holed else 0


if __name__ == "__main__":
    sys.exit(main())
