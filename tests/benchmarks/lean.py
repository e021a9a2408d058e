"""The lean limit: the least that answers three calls, byte for byte as the server does, from the same store.

Raw SQL, XML written by hand, bare WSGI; the same HTTP server, the same durability; a token says who calls. It
checks nothing, knows no other call and no other case, and is an example of nothing but how little it takes.
"""
# What is written here by hand has the lines of the answer, however long they are.
# ruff: noqa: E501

import base64
import datetime
import hashlib
import re
import socket
import sqlite3
import sys
import threading
import time
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

METHOD = re.compile(rb"<methodName>(\w+)</methodName>")
VALUES = re.compile(rb"<(?:string|int|base64)>\s*(.*?)\s*</", re.DOTALL)
ONLINE_MILLISECONDS = 300_000
own = threading.local()


def store() -> sqlite3.Connection:
    if not hasattr(own, "store"):
        own.store = sqlite3.connect(sys.argv[1].removeprefix("sqlite:///"), isolation_level=None)
        own.store.executescript(
            "PRAGMA synchronous = FULL; PRAGMA mmap_size = 1073741824; PRAGMA foreign_keys = 1"
        )
    return own.store


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = environ["wsgi.input"].read()
    digest = hashlib.sha256(environ["HTTP_X_API_KEY"].encode()).hexdigest()
    [(user,)] = store().execute("SELECT user_id FROM access_token WHERE digest = ?", (digest,))
    answer = CALLS[METHOD.search(body)[1]](user, *VALUES.findall(body)).encode()
    start_response(
        "200 OK", [("Content-Type", "text/xml; charset=UTF-8"), ("Content-Length", str(len(answer)))]
    )
    return [answer]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def moment(milliseconds: int) -> str:
    return f"{datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC):%Y%m%dT%H:%M:%S}"


def bit(value: Any) -> str:
    return f"<boolean>{1 if value else 0}</boolean>"


def enveloped(members: str) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<methodResponse>
<params>
<param><value><struct>
<member><name>result</name><value><boolean>1</boolean></value></member>
<member><name>result_text</name><value><base64></base64></value></member>
{members}</struct></value></param>
</params>
</methodResponse>
"""


PEOPLE = """SELECT p.conversation_id, p.status, a.id, a.username, a.avatar, a.seen_at FROM participant p
JOIN account a ON a.id = p.user_id WHERE p.conversation_id IN ({}) ORDER BY p.id"""


def people_in(ids: list[int]) -> dict[int, list[str]]:
    people: dict[int, list[str]] = {each: [] for each in ids}
    online = time.time() * 1000 - ONLINE_MILLISECONDS
    for conversation, status, user, name, _, seen in store().execute(
        PEOPLE.format(",".join("?" * len(ids))), ids
    ):
        people[conversation].append(f"""<member><name>{user}</name><value><struct>
<member><name>username</name><value><base64>{b64(name)}</base64></value></member>
<member><name>user_id</name><value><string>{user}</string></value></member>
<member><name>user_type</name><value><base64>bm9ybWFs</base64></value></member>
<member><name>is_online</name><value>{bit((seen or 0) >= online)}</value></member>
<member><name>has_left</name><value>{bit(status == "left")}</value></member>
<member><name>icon_url</name><value><string></string></value></member>
</struct></value></member>
""")
    return people


OPENED = """SELECT c.subject, c.last_seq, c.status, c.starter_id, c.open_invite, p.read_seq FROM participant p
JOIN conversation c ON c.id = p.conversation_id WHERE p.conversation_id = ? AND p.user_id = ? AND p.status = 'active'"""
SAID = """SELECT m.id, m.seq, m.author_id, m.body, m.sent_at, a.seen_at, p.status FROM message m
LEFT JOIN account a ON a.id = m.author_id
LEFT JOIN participant p ON p.conversation_id = m.conversation_id AND p.user_id = m.author_id
WHERE m.conversation_id = ? AND m.seq BETWEEN ? AND ? ORDER BY m.seq"""
FILES = """SELECT f.id FROM attachment f JOIN message m ON m.id = f.message_id
WHERE m.conversation_id = ? AND m.seq BETWEEN ? AND ? ORDER BY f.id"""


def get_conversation(user: int, given: bytes, start: bytes, end: bytes) -> str:
    conversation, first, last = int(given), int(start) + 1, int(end) + 1
    database = store()
    database.execute("BEGIN")
    [(subject, total, status, starter, open_invite, read)] = database.execute(OPENED, (conversation, user))
    rows = database.execute(SAID, (conversation, first, last)).fetchall()
    database.execute(FILES, (conversation, first, last)).fetchall()
    people = people_in([conversation])[conversation]
    database.execute("COMMIT")
    online = time.time() * 1000 - ONLINE_MILLISECONDS
    said = "".join(
        f"""{(place and "<value>") or chr(10) + "<value>"}<struct>
<member><name>msg_id</name><value><string>{message}</string></value></member>
<member><name>msg_content</name><value><base64>{b64(body)}</base64></value></member>
<member><name>msg_author_id</name><value><string>{author}</string></value></member>
<member><name>is_unread</name><value>{bit(author != user and seq > read)}</value></member>
<member><name>is_online</name><value>{bit((seen or 0) >= online)}</value></member>
<member><name>has_left</name><value>{bit(place_status == "left")}</value></member>
<member><name>post_time</name><value><dateTime.iso8601>{moment(sent)}</dateTime.iso8601></value></member>
<member><name>timestamp</name><value><string>{sent // 1000}</string></value></member>
<member><name>new_post</name><value>{bit(author != user and seq > read)}</value></member>
<member><name>attachments</name><value><array><data></data></array></value></member>
</struct></value>
"""
        for place, (message, seq, author, body, sent, seen, place_status) in enumerate(rows)
    )
    return enveloped(f"""<member><name>conv_id</name><value><string>{conversation}</string></value></member>
<member><name>conv_title</name><value><base64>{b64(subject)}</base64></value></member>
<member><name>participant_count</name><value><int>{len(people)}</int></value></member>
<member><name>total_message_num</name><value><int>{total}</int></value></member>
<member><name>can_invite</name><value>{bit(starter == user or open_invite)}</value></member>
<member><name>can_edit</name><value>{bit(starter == user)}</value></member>
<member><name>can_close</name><value>{bit(starter == user)}</value></member>
<member><name>is_closed</name><value>{bit(status == "closed")}</value></member>
<member><name>can_upload</name><value>{bit(status != "closed" or starter == user)}</value></member>
<member><name>delete_mode</name><value><int>3</int></value></member>
<member><name>participants</name><value><struct>
{"".join(people)}</struct></value></member>
<member><name>list</name><value><array><data>{said}</data></array></value></member>
""")


COUNTED = "SELECT SUM(number), SUM(unread) FROM place_count WHERE user_id = ? AND status = 'active'"
LISTED = """SELECT c.id, c.subject, c.status, c.open_invite, c.starter_id, c.started_at, c.last_seq,
p.last_seq - p.read_seq - p.own_unread, m.author_id, m.sent_at, m.body, c.app FROM participant p
JOIN conversation c ON c.id = p.conversation_id LEFT JOIN message m ON m.id = p.newest_id
WHERE p.user_id = ? AND p.status = 'active' ORDER BY p.newest_id DESC, p.conversation_id DESC LIMIT ? OFFSET ?"""


def get_conversations(user: int, start: bytes, end: bytes) -> str:
    database, offset = store(), int(start)
    database.execute("BEGIN")
    rows = database.execute(LISTED, (user, int(end) - offset + 1, offset)).fetchall()
    people = people_in([row[0] for row in rows])
    [(count, unread)] = database.execute(COUNTED, (user,))
    database.execute("COMMIT")
    listed = "".join(entry(place, user, row, people[row[0]]) for place, row in enumerate(rows))
    return enveloped(f"""<member><name>conversation_count</name><value><int>{count}</int></value></member>
<member><name>unread_count</name><value><int>{unread}</int></value></member>
<member><name>can_upload</name><value><boolean>1</boolean></value></member>
<member><name>list</name><value><array><data>{listed}</data></array></value></member>
""")


def entry(place: int, user: int, row: Any, people: list[str]) -> str:
    (
        conversation,
        subject,
        status,
        open_invite,
        starter,
        began,
        total,
        unread,
        author,
        sent,
        body,
        app_name,
    ) = row
    title, newest, is_direct = b64(subject or "User4"), moment(sent), app_name == "chat"
    may_edit = starter == user and not is_direct
    return f"""{(place and "<value>") or chr(10) + "<value>"}<struct>
<member><name>conv_id</name><value><string>{conversation}</string></value></member>
<member><name>reply_count</name><value><int>{total - 1}</int></value></member>
<member><name>participant_count</name><value><int>{len(people)}</int></value></member>
<member><name>start_user_id</name><value><string>{starter}</string></value></member>
<member><name>last_user_id</name><value><string>{author}</string></value></member>
<member><name>last_conv_time</name><value><dateTime.iso8601>{newest}</dateTime.iso8601></value></member>
<member><name>timestamp</name><value><string>{sent // 1000}</string></value></member>
<member><name>start_conv_time</name><value><dateTime.iso8601>{moment(began)}</dateTime.iso8601></value></member>
<member><name>conv_subject</name><value><base64>{title}</base64></value></member>
<member><name>participants</name><value><struct>
{"".join(people)}</struct></value></member>
<member><name>new_post</name><value>{bit(unread)}</value></member>
<member><name>unread_num</name><value><int>{unread}</int></value></member>
<member><name>start_timestamp</name><value><string>{began // 1000}</string></value></member>
<member><name>conv_title</name><value><base64>{title}</base64></value></member>
<member><name>total_message_num</name><value><int>{total}</int></value></member>
<member><name>short_content</name><value><base64>{b64(body)}</base64></value></member>
<member><name>is_closed</name><value>{bit(status == "closed")}</value></member>
<member><name>can_invite</name><value>{bit(may_edit or (open_invite and not is_direct))}</value></member>
<member><name>can_edit</name><value>{bit(may_edit)}</value></member>
<member><name>can_close</name><value>{bit(may_edit)}</value></member>
<member><name>can_upload</name><value>{bit(status != "closed" or may_edit)}</value></member>
<member><name>delete_mode</name><value><int>3</int></value></member>
</struct></value>
"""


def reply_conversation(user: int, given: bytes, body: bytes) -> str:
    database, conversation, now = store(), int(given), int(time.time() * 1000)
    text = base64.b64decode(body).decode()
    database.execute("BEGIN IMMEDIATE")
    [(seq,)] = database.execute(
        "UPDATE conversation SET last_seq = last_seq + 1 WHERE id = ? RETURNING last_seq", (conversation,)
    ).fetchall()
    [(message,)] = database.execute(
        "INSERT INTO message (conversation_id, seq, author_id, kind, body, image_url, link_url, sent_at)"
        " VALUES (?, ?, ?, 'text', ?, '', '', ?) RETURNING id",
        (conversation, seq, user, text, now),
    ).fetchall()
    database.execute(
        "UPDATE participant SET last_seq = ?, newest_id = ?,"
        " status = CASE status WHEN 'hidden' THEN 'active' ELSE status END,"
        " read_seq = CASE user_id WHEN ? THEN ? ELSE read_seq END,"
        " own_unread = CASE user_id WHEN ? THEN 0 ELSE own_unread END,"
        " read_at = CASE user_id WHEN ? THEN ? ELSE read_at END"
        " WHERE conversation_id = ? AND status IN ('active', 'hidden', 'asked')",
        (seq, message, user, seq, user, user, now, conversation),
    )
    database.execute(
        "INSERT INTO event (kind, conversation_id, ref, happened_at, turn) VALUES ('message', ?, ?, ?, 0)",
        (conversation, message, now),
    )
    database.execute("COMMIT")
    return enveloped(f"<member><name>msg_id</name><value><string>{message}</string></value></member>\n")


CALLS = {
    b"get_conversation": get_conversation,
    b"get_conversations": get_conversations,
    b"reply_conversation": reply_conversation,
}


def announce(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            print(f"ready at http://127.0.0.1:{port}/", flush=True)
            return
        except OSError:
            time.sleep(0.05)


if __name__ == "__main__":
    port = int(sys.argv[2])
    server = Granian(
        "lean:app",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=1,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.error,
    )
    server.on_startup(threading.Thread(target=announce, args=(port,), daemon=True).start)
    server.serve()
