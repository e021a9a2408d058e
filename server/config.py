"""Every setting, declared once: its flag, variable, key in the file and row in the README follow from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

PREFIX = "SWITCHBOARD_"
# Longer than anybody waits; what is much longer is no moment of the calendar.
YEAR = 365 * 86400


def setting(
    default: Any,
    meaning: str,
    choices: tuple[str, ...] = (),
    least: float = 0,
    most: int | None = None,
    is_secret: bool = False,
) -> Any:
    metadata = {"meaning": meaning, "choices": choices, "range": (least, most), "is_secret": is_secret}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """What the people who run the server may decide. Times are in seconds, sizes in bytes."""

    host: str = setting("127.0.0.1", "address to listen on")
    port: int = setting(8000, "port to listen on; 0 takes a free one", most=65535)
    database: str = setting("sqlite:///switchboard.db", "the store's address", is_secret=True)
    durability: str = setting(
        "full", "what a commit waits for: full the disk, relaxed nothing", ("full", "relaxed")
    )
    files: str = setting("", "folder of attachments and pictures; default: beside the store")
    url: str = setting("", "address under which the world sees this server, such as https://talk.example.org")
    workers: int = setting(1, "number of processes that answer calls", least=1)
    log_level: str = setting("info", "what is logged", ("debug", "info", "warning", "error"))
    log_format: str = setting("text", "lines of the log: text, or one JSON object each", ("text", "json"))
    metrics: str = setting(
        "off",
        "who may read /metrics: nobody, programs on this machine that come without a proxy, or all",
        ("off", "local", "on"),
    )
    limits: str = setting("on", "whether how often something may be done is limited at all", ("on", "off"))
    max_request: int = setting(256 * 1024, "largest body of a call, after decompression")
    max_upload: int = setting(2 * 1024 * 1024, "largest attachment")
    max_attachments: int = setting(10, "most attachments of one message")
    extensions: str = setting("png,jpg,jpeg,gif,webp,pdf,txt,zip", "kinds of files that may be attached")
    max_subject: int = setting(100, "longest subject, in characters")
    max_body: int = setting(10_000, "longest message, in characters")
    max_recipients: int = setting(100, "most people named in one call")
    message_burst: int = setting(30, "messages a user may send at once; 0: no limit")
    message_interval: float = setting(1.0, "seconds between messages after that", least=0.001, most=YEAR)
    conversation_burst: int = setting(10, "conversations a user may begin at once; 0: no limit")
    conversation_interval: float = setting(
        10.0, "seconds between conversations after that", least=0.001, most=YEAR
    )
    proxies: str = setting(
        "", "addresses and networks of proxies that are believed about clients, with commas between them"
    )
    cors: str = setting(
        "", "origins whose pages may use the chat door and files, with commas between them; * for all"
    )
    ring_seconds: int = setting(30, "how long a call rings before it counts as missed", least=1, most=600)
    pending_messages: int = setting(1, "messages that may be sent along with a chat request", most=100)
    events_kept: float = setting(
        86400.0, "seconds for which a listener may be away and still misses nothing", least=60, most=YEAR
    )
    most_listeners: int = setting(50, "most live answers that one user may have at a process; 0: no limit")
    heartbeat: float = setting(
        20.0, "seconds between signs of life to those who listen", least=0.1, most=YEAR
    )
    unread: float = setting(
        60.0, "seconds after which a client that takes nothing of its answer is cut off", least=0.1, most=YEAR
    )
    login_burst: int = setting(10, "failed logins per account and address; 0: no limit")
    login_interval: float = setting(
        60.0, "seconds between further attempts after that", least=0.001, most=YEAR
    )

    @property
    def extension_list(self) -> list[str]:
        return [word.strip().lower() for word in self.extensions.split(",") if word.strip()]

    @property
    def files_folder(self) -> Path:
        """Where files lie: as set, or beside an embedded store under its name."""
        _, _, path = self.database.partition("sqlite:///")
        return Path(self.files) if self.files else Path(path or "switchboard.db").with_suffix(".files")

    def environment(self) -> dict[str, str]:
        """These settings in the form in which ``from_environment`` reads them."""
        return {variable(f.name): str(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        given = {f: environment[variable(f.name)] for f in fields(cls) if variable(f.name) in environment}
        kinds = {f.name: type(getattr(cls, f.name)) for f in given}
        return cls(**{f.name: kinds[f.name](text) for f, text in given.items()})


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()
