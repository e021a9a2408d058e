"""The command line: every command through the real program, on real stores."""

import errno
import hashlib
import os
import pty
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Any
from urllib.request import urlopen
from xmlrpc.client import ServerProxy

import click
import pytest
from click.testing import CliRunner
from conftest import Live, numbers
from shop import PROGRAM, Shop, bare, done, one_sentence, refused, run

from server.__main__ import main

SECRET_LENGTH = 22  # 128 random bits in base64


def a_name() -> str:
    return f"person{next(numbers)}"


def signed_in(live: Live, name: str, password: str) -> Any:
    """An `xmlrpc.client` with nothing but a name and a password."""
    made = ServerProxy(
        live.address.replace("://", f"://{name}:{password}@") + "/RPC2", use_builtin_types=True
    )
    live.proxies.append(made)
    return made


def opens(rpc: Any) -> bool:
    """Whether the forum's methods answer this caller."""
    return bool(rpc.get_inbox_stat()["result"])


def bearer(live: Live, secret: str) -> Any:
    return live.proxy(("Authorization", f"Bearer {secret}"))


def login(live: Live, name: str, password: str) -> Any:
    return live.proxy().login(name.encode(), password.encode())


# People


def test_user_add_takes_the_password_from_standard_input(live: Live) -> None:
    """`user add --password-stdin` makes a user who logs in with the line that was read."""
    name = a_name()
    printed = done(live.database, "user", "add", name, "--password-stdin", input="Tür & Tor 1\n")
    assert printed == ""
    assert login(live, name, "Tür & Tor 1")["result"]


def test_user_add_makes_a_password_and_prints_it_alone(live: Live) -> None:
    """Without a terminal and a given password, `user add` prints a random one, alone on standard output."""
    name = a_name()
    printed = done(live.database, "user", "add", name)
    assert re.fullmatch(r"\S{12,}\n", printed)
    assert login(live, name, printed.strip())["result"]


def test_a_made_password_is_named_beside(shop: Shop) -> None:
    """What is printed is named, where people read it and scripts do not."""
    for words in (("user", "add", "eve"), ("user", "password", "ann")):
        assert "The password" in run(shop.database, *words).stderr


@pytest.mark.parametrize(("name", "is_told"), [("server", True), ("a:b", True), ("eve", False)])
def test_who_cannot_use_basic_is_told_so(shop: Shop, name: str, is_told: bool) -> None:
    """A user may be called as server keys are, or with a colon, and whoever does it is told what it costs."""
    assert ("HTTP Basic" in run(shop.database, "user", "add", name).stderr) is is_told


LISTS = [["user", "list"], ["token", "list", "ann"], ["key", "list"], ["deploy", "list"]]


@pytest.mark.parametrize("words", LISTS, ids=lambda words: words[0])
def test_lists_have_heads_on_a_terminal(shop: Shop, words: list[str]) -> None:
    """On a terminal a line above a list has as many names as it has columns; a script gets the rows alone."""
    place = [] if words[0] == "deploy" else ["--database", shop.database]
    screen, terminal = pty.openpty()
    subprocess.run([*PROGRAM, *words, *place], stdout=terminal, env=bare(), check=True, timeout=60)
    os.close(terminal)
    head, first, *_ = os.read(screen, 10_000).decode().splitlines()
    os.close(screen)
    assert head.count("\t") == first.count("\t") > 0
    rows = subprocess.run([*PROGRAM, *words, *place], capture_output=True, env=bare(), check=True, timeout=60)
    assert rows.stdout.decode().splitlines()[0] == first


def test_each_made_password_is_another(shop: Shop) -> None:
    """Two passwords that the program makes are never the same."""
    assert shop.done("user", "add", "eve") != shop.done("user", "add", "frank")


def test_user_add_refuses_an_empty_password(shop: Shop) -> None:
    """`--password-stdin` with nothing on standard input makes nobody."""
    shop.refused("user", "add", "eve", "--password-stdin", input="")
    assert "eve" not in shop.done("user", "list")


def test_user_add_stores_what_is_given(shop: Shop) -> None:
    """`user add` stores the number, the identifier, the e-mail address and the display name it is given."""
    details = [
        "--number",
        "555 77",
        "--identifier",
        "license:e",
        "--email",
        "e@x.org",
        "--display-name",
        "E.",
    ]
    shop.done("user", "add", "eve", *details)
    columns = "number, digits, identifier, email, display_name"
    assert shop.sql(f"SELECT {columns} FROM account WHERE username = 'eve'") == [
        ("555 77", "55577", "license:e", "e@x.org", "E.")
    ]


def test_user_list_names_everyone(shop: Shop) -> None:
    """`user list` writes one line a person, with id, name, number and identifier."""
    lines = shop.done("user", "list").splitlines()
    assert [line.split("\t")[:4] for line in lines] == [
        [str(n), name, f"555-010{n}", f"license:demo-{name}"]
        for n, name in enumerate(["ann", "bob", "carol", "dave"], 1)
    ]


def test_user_list_shows_no_secret(shop: Shop) -> None:
    """`user list` shows nothing of a password."""
    assert "scrypt" not in shop.done("user", "list")


def test_user_password_changes_it(live: Live) -> None:
    """After `user password` the new password opens and the old one does not."""
    member = live.member(password="old one")
    done(live.database, "user", "password", member.name, "--password-stdin", input="new one\n")
    assert not login(live, member.name, "old one")["result"]
    assert login(live, member.name, "new one")["result"]


def test_user_password_makes_one(live: Live) -> None:
    """`user password` without one prints a random password, alone, which opens from then on."""
    member = live.member(password="old one")
    printed = done(live.database, "user", "password", member.name)
    assert re.fullmatch(r"\S{12,}\n", printed)
    assert login(live, member.name, printed.strip())["result"]


def test_user_password_counts_for_basic_at_once(live: Live) -> None:
    """A password that the server has just accepted opens nothing any more once it was changed."""
    member = live.member(password="old-one")
    rpc = signed_in(live, member.name, "old-one")
    assert opens(rpc)
    done(live.database, "user", "password", member.name, "--password-stdin", input="new-one\n")
    assert not opens(rpc)


def test_user_password_takes_tokens_back(live: Live) -> None:
    """After `user password` no access token opens anything that was given before, nor does a session."""
    member = live.member(password="old one")
    assert opens(member.rpc)
    done(live.database, "user", "password", member.name)
    assert not opens(member.rpc)


def test_user_disable_and_enable(live: Live) -> None:
    """A disabled user's password opens nothing until he is enabled again; his token never does any more."""
    member = live.member(password="secret")
    done(live.database, "user", "disable", member.name)
    assert not opens(member.rpc)
    assert not login(live, member.name, "secret")["result"]
    done(live.database, "user", "enable", member.name)
    assert not opens(member.rpc)
    assert login(live, member.name, "secret")["result"]


def test_user_disable_disconnects_a_player(live: Live) -> None:
    """A player who is disabled is connected no more, not even when he is enabled again."""
    player, script = live.player(), live.script()
    done(live.database, "user", "disable", player.name)
    assert script.GetNumberFromPlayer(player.src) is False
    assert script.GetPlayerSrcFromActiveNumber(player.number) is False
    done(live.database, "user", "enable", player.name)
    assert script.GetPlayerSrcFromActiveNumber(player.number) is False


def test_user_disable_ends_a_player_s_call(live: Live) -> None:
    """A player who is disabled hangs up: the other's line is free, and his history tells why."""
    player, other, script = live.player(), live.player(), live.script()
    call = script.PhoneApp_StartCall(other.number, player.number)
    assert script.PhoneApp_AcceptCallByNumber(player.number)
    done(live.database, "user", "disable", player.name)
    assert script.PhoneApp_GetCallDataFromCallId(call["callId"])["state"] == "ended"
    assert script.PhoneApp_IsInCallByNumber(other.number) is False
    [entry] = script.PhoneApp_GetCallHistoryByNumber(other.number)
    assert entry["outcome"] == "disconnected"


def test_a_disabled_player_connects_when_he_is_enabled(live: Live) -> None:
    """The game server cannot connect a player while he is disabled."""
    player, script = live.player(), live.script()
    described = (player.src, player.identifier, player.number, player.name)
    done(live.database, "user", "disable", player.name)
    assert script.Players_Connect(*described)["success"] is False
    done(live.database, "user", "enable", player.name)
    assert script.Players_Connect(*described) == {"success": True, "userId": int(player.id)}


def test_user_edit_ends_the_call_of_the_number_he_had(live: Live) -> None:
    """A call that a number holds is over when its owner gets another number."""
    player, other, script = live.player(), live.player(), live.script()
    assert script.PhoneApp_StartCall(other.number, player.number)
    done(live.database, "user", "edit", player.name, "--number", f"777-{next(numbers):07}")
    assert script.PhoneApp_IsInCallByNumber(other.number) is False


def test_user_list_says_who_is_disabled(shop: Shop) -> None:
    """`user list` tells disabled people and administrators from the others."""
    before = shop.done("user", "list").splitlines()
    shop.done("user", "disable", "bob")
    shop.done("user", "edit", "carol", "--admin", "yes")
    after = shop.done("user", "list").splitlines()
    assert after[0] == before[0]
    assert "disabled" in after[1] and "disabled" not in before[1]
    assert "admin" in after[2] and "admin" not in before[2]


@pytest.mark.parametrize(
    ("option", "value", "column", "stored"),
    [
        ("--display-name", "Big Ann", "display_name", "Big Ann"),
        ("--number", "(555) 99", "number", "(555) 99"),
        ("--number", "", "number", None),
        ("--identifier", "citizenid:9", "identifier", "citizenid:9"),
        ("--identifier", "", "identifier", None),
        ("--email", "ann@example.org", "email", "ann@example.org"),
        ("--messages", "nobody", "takes_messages", 0),
        ("--admin", "no", "is_admin", 0),
    ],
)
def test_user_edit_changes_one_thing(shop: Shop, option: str, value: str, column: str, stored: Any) -> None:
    """`user edit` changes what is given."""
    shop.done("user", "edit", "ANN", option, value)
    assert shop.sql(f"SELECT {column} FROM account WHERE id = 1") == [(stored,)]


def test_user_edit_leaves_the_rest(shop: Shop) -> None:
    """`user edit` leaves as it is what is not given."""
    before = shop.sql("SELECT * FROM account WHERE id = 1")
    shop.done("user", "edit", "ann")
    shop.done("user", "edit", "ann", "--admin", "yes", "--messages", "everyone")
    assert shop.sql("SELECT * FROM account WHERE id = 1") == before


def test_nobody_writes_to_who_takes_no_messages(live: Live) -> None:
    """After `user edit --messages nobody` a conversation with him is refused by name."""
    writer, reader = live.member(), live.member()
    done(live.database, "user", "edit", reader.name, "--messages", "nobody")
    answer = writer.rpc.new_conversation([reader.name.encode()], b"Hello", b"there")
    assert not answer["result"]
    assert reader.name.encode() in answer["result_text"]


def test_user_edit_shows_in_the_forum(live: Live) -> None:
    """What `user edit` sets is what the running server answers."""
    member = live.member()
    done(live.database, "user", "edit", member.name, "--admin", "yes")
    assert member.rpc.get_user_info()["user_type"] == b"admin"


@pytest.mark.parametrize("name", ["ann", "ANN", " ann ", "ａｎｎ"])  # the last in full-width letters
def test_a_taken_name_is_refused(shop: Shop, name: str) -> None:
    """A user name is taken without regard to case, after Unicode NFKC."""
    assert "name" in shop.refused("user", "add", name)
    assert len(shop.done("user", "list").splitlines()) == 4


@pytest.mark.parametrize("number", ["555-0101", "(555) 0101", "5550101"])
def test_a_taken_number_is_refused(shop: Shop, number: str) -> None:
    """A phone number is taken where its digits are."""
    assert "number" in shop.refused("user", "add", "eve", "--number", number)
    assert "number" in shop.refused("user", "edit", "bob", "--number", number)


def test_a_taken_identifier_is_refused(shop: Shop) -> None:
    """A game identifier belongs to one user."""
    assert "identifier" in shop.refused("user", "edit", "bob", "--identifier", "license:demo-ann")


@pytest.mark.parametrize("name", ["", "   ", "x" * 300])
def test_a_name_needs_a_length(shop: Shop, name: str) -> None:
    """A user name must hold something, and not too much."""
    shop.refused("user", "add", name)


@pytest.mark.parametrize(
    "arguments",
    [
        ["user", "password", "nobody"],
        ["user", "disable", "nobody"],
        ["user", "enable", "nobody"],
        ["user", "edit", "nobody", "--admin", "yes"],
        ["token", "add", "nobody"],
        ["token", "list", "nobody"],
    ],
)
def test_an_unknown_user_is_refused(shop: Shop, arguments: list[str]) -> None:
    """A command about a user whom nobody knows names him and does nothing."""
    assert "nobody" in shop.refused(*arguments)


# Tokens and keys


def test_token_add_prints_it_alone(live: Live) -> None:
    """`token add` writes the token, alone, and it opens the forum's methods."""
    member = live.member()
    printed = done(live.database, "token", "add", member.name, "--label", "bot")
    assert re.fullmatch(rf"\S{{{SECRET_LENGTH},}}\n", printed)
    assert opens(bearer(live, printed.strip()))


def test_token_list_shows_the_label_and_no_token(shop: Shop) -> None:
    """`token list` shows id and label of the user's tokens, and nothing by which one could be used."""
    secret = shop.done("token", "add", "ann", "--label", "my bot").strip()
    shop.done("token", "add", "bob", "--label", "other")
    [first, last] = shop.done("token", "list", "ann").splitlines()
    assert "demo" in first and "my bot" in last
    assert secret not in last


def test_token_revoke_makes_it_worthless(live: Live) -> None:
    """A revoked token opens nothing, and the user's others go on."""
    member = live.member()
    secret = done(live.database, "token", "add", member.name, "--label", "gone").strip()
    [line] = [
        each for each in done(live.database, "token", "list", member.name).splitlines() if "gone" in each
    ]
    done(live.database, "token", "revoke", line.split("\t")[0])
    assert not opens(bearer(live, secret))
    assert opens(member.rpc)


def test_key_add_prints_it_alone(shop: Shop) -> None:
    """`key add` writes the server key, alone."""
    assert re.fullmatch(rf"\S{{{SECRET_LENGTH},}}\n", shop.done("key", "add", "city"))


def test_key_list_and_revoke(shop: Shop) -> None:
    """`key list` shows the label but not the key, and a revoked key is gone from it."""
    secret = shop.done("key", "add", "my city").strip()
    [line] = [each for each in shop.done("key", "list").splitlines() if "my city" in each]
    assert secret not in line
    shop.done("key", "revoke", line.split("\t")[0])
    assert "my city" not in shop.done("key", "list")


@pytest.mark.parametrize("group", ["token", "key"])
def test_revoking_what_is_not_there_is_refused(shop: Shop, group: str) -> None:
    """Revoking an id that nothing has says so."""
    assert "4711" in shop.refused(group, "revoke", "4711")


def test_secrets_are_stored_as_digests_only(shop: Shop) -> None:
    """Neither a token nor a key nor a password stands in the store's files."""
    secrets = [
        shop.done("token", "add", "ann").strip(),
        shop.done("key", "add", "city").strip(),
        shop.done("user", "add", "eve").strip(),
    ]
    stored = b"".join(path.read_bytes() for path in shop.folder.glob("live.db*"))
    assert not [secret for secret in secrets if secret.encode() in stored]


# check

PLANTED = {
    "last_seq": (
        "UPDATE conversation SET last_seq = last_seq + 1 WHERE id = 1",
        r"conversation 1\b",
    ),
    "hole": (
        "UPDATE message SET seq = 9 WHERE conversation_id = 1 AND seq = 2",
        r"conversation 1\b",
    ),
    "missing message": (
        "DELETE FROM message WHERE conversation_id = 1 AND seq = 3",
        r"conversation 1\b",
    ),
    "unread": (
        "UPDATE participant SET read_seq = 0, own_unread = 0 WHERE conversation_id = 1 AND user_id = 1",
        r"participant 1\b",
    ),
    "own_unread": (
        "UPDATE participant SET read_seq = 0, own_unread = 2 WHERE conversation_id = 1 AND user_id = 1",
        r"participant 1\b",
    ),
    "newest_id": (
        "UPDATE participant SET newest_id = newest_id - 1 WHERE id = 1",
        r"participant 1\b",
    ),
    "participant's last_seq": (
        "UPDATE participant SET last_seq = last_seq + 1, read_seq = read_seq + 1 WHERE id = 1",
        r"participant 1\b",
    ),
    "half told": (
        "UPDATE participant SET newest_id = NULL WHERE id = 1",
        r"participant 1: his newest message is known by one",
    ),
    "kind of a place": (
        "UPDATE participant SET kind = 'pending' WHERE id = 1",
        r"participant 1: his place is of the kind pending, and should be forum",
    ),
    "count of places": (
        "UPDATE place_count SET number = number + 1 WHERE user_id = 1 AND status = 'active'",
        r"account 1: \d+ places",
    ),
    "count of unread places": (
        "UPDATE place_count SET unread = unread + 1 WHERE user_id = 1 AND status = 'active'",
        r"account 1: \d+ places",
    ),
    "orphan conversation": (
        "UPDATE participant SET status = 'left' WHERE conversation_id = 2",
        r"conversation 2\b",
    ),
    "conversation without anyone": (
        "DELETE FROM participant WHERE conversation_id = 2",
        r"conversation 2\b",
    ),
    "starter outside": (
        "UPDATE conversation SET starter_id = 3 WHERE id = 2",
        r"conversation 2\b",
    ),
    "author outside": (
        "UPDATE message SET author_id = 3 WHERE conversation_id = 2 AND seq = 2",
        r"message \d+\b",
    ),
    "message of no conversation": (
        "UPDATE message SET conversation_id = 4711 WHERE conversation_id = 2 AND seq = 2",
        r"message \d+\b",
    ),
    "attachment of no message": (
        "UPDATE attachment SET message_id = 4711",
        r"attachment 1\b",
    ),
    "stranger's attachment": (
        "UPDATE upload_group SET uploader_id = 2",
        r"attachment 1\b",
    ),
    "session of nobody": (
        "INSERT INTO session (user_id, digest, address, anonymous, created_at, used_at)"
        " VALUES (4711, 'd', '', 0, 0, 0)",
        r"session 1\b",
    ),
    "name": (
        "UPDATE account SET username_key = 'other' WHERE id = 2",
        r"account 2\b",
    ),
    "number": (
        "UPDATE account SET digits = '1' WHERE id = 2",
        r"account 2\b",
    ),
    "owner who has left": (
        "UPDATE participant SET status = 'left' WHERE conversation_id = 4 AND user_id = 2",
        r"conversation 4: its owner 2 ",
    ),
    "owner outside": (
        "UPDATE conversation SET starter_id = 4 WHERE id = 4",
        r"conversation 4: its owner 4 ",
    ),
    "room without an owner": (
        "UPDATE conversation SET starter_id = NULL WHERE id = 4",
        r"conversation 4: its owner None ",
    ),
    "room without a code": (
        "UPDATE conversation SET join_code = NULL WHERE id = 4",
        r"conversation 4: a room is entered by a code",
    ),
    "code of no room": (
        "UPDATE conversation SET join_code = 'OTHER1' WHERE id = 1",
        r"conversation 1: a room is entered by a code",
    ),
    "third of two": (
        "INSERT INTO participant (conversation_id, user_id, kind, status, last_seq, newest_id, read_seq,"
        " own_unread, invite_reason) VALUES (6, 3, 'messages', 'active', 1, 11, 0, 0, '')",
        r"conversation 6: the two of it are 3 people and the peer ''",
    ),
    "one of two": (
        "DELETE FROM participant WHERE conversation_id = 6 AND user_id = 1",
        r"conversation 6: the two of it are 1 people",
    ),
    "two and a peer": (
        "UPDATE conversation SET peer = 'Taxi' WHERE id = 6",
        r"conversation 6: the two of it are 2 people and the peer 'Taxi'",
    ),
    "peer in the forum": (
        "UPDATE conversation SET peer = 'Taxi' WHERE id = 3",
        r"conversation 3: the two of it are 2 people and the peer 'Taxi'",
    ),
    "pair in the forum": (
        "UPDATE conversation SET pair = 'messages 2 and 4' WHERE id = 3",
        r"conversation 3: the two of it are 2 people",
    ),
    "message of nobody": (
        "UPDATE message SET author_id = NULL WHERE conversation_id = 3 AND seq = 1",
        r"message 6: it has no author, and conversation 3 ",
    ),
    "attachment of nobody": (
        "UPDATE attachment SET message_id = (SELECT id FROM message WHERE author_id IS NULL)",
        r"attachment 1: it was uploaded by 1\b",
    ),
    "unread from a peer": (
        "UPDATE participant SET own_unread = 1 WHERE conversation_id = 5",
        r"participant 11: 0 messages count as unread, but 1 are",
    ),
    "line of an ended call": (
        "INSERT INTO line (key, call_id) VALUES ('5550101', 1)",
        r"call 1: it has ended, and still holds the line of 5550101",
    ),
    "live call without lines": (
        "UPDATE call SET ended_at = NULL, outcome = ''",
        r"call 1: it is live, and holds 0 lines",
    ),
    "line of no call": (
        "INSERT INTO line (key, call_id) VALUES ('5550101', 4711)",
        r"line \d+: ",
    ),
    "history of the wrong side": (
        "UPDATE call_entry SET is_outgoing = 0 WHERE user_id = 2",
        r"call entry 1: user 2 is not on that side of call 1",
    ),
    "stranger's history": (
        "INSERT INTO call_entry (user_id, call_id, is_outgoing) VALUES (3, 1, 1)",
        r"call entry 3: user 3 is not on that side of call 1",
    ),
    "history of a side without an account": (
        "UPDATE call SET caller_id = NULL",
        r"call entry 1: user 2 is not on that side of call 1",
    ),
    "caller's missing history": (
        "DELETE FROM call_entry WHERE user_id = 2",
        r"call 1: it is missing in the history of user 2",
    ),
    "callee's missing history": (
        "DELETE FROM call_entry WHERE user_id = 1",
        r"call 1: it is missing in the history of user 1",
    ),
    "contact's number": (
        "UPDATE contact SET key = '1' WHERE id = 2",
        r"contact 2: it is not found under its number",
    ),
    "moment beyond all years": (
        "UPDATE message SET sent_at = 253402300800000 WHERE id = 2",
        r"message 2: its sent_at is no moment",
    ),
    "source of nobody": (
        "UPDATE source SET user_id = 4711 WHERE src = 2",
        r"source 2\b",
    ),
}


def test_check_finds_nothing_on_a_good_store(shop: Shop) -> None:
    """`check` ends well on a store that the server has written."""
    shop.done("check")


@pytest.mark.parametrize("fault", PLANTED)
def test_check_finds_a_planted_fault(shop: Shop, fault: str) -> None:
    """`check` tells a fault of the store by the id of the row, and ends with an error."""
    statement, told = PLANTED[fault]
    shop.sql(statement)
    assert re.search(told, shop.faults())


def test_check_recounts_a_users_own_messages_behind_his_mark(shop: Shop) -> None:
    """`check` finds an own_unread that differs from the user's messages after his read mark."""
    shop.sql("UPDATE participant SET read_seq = 0, own_unread = 1 WHERE id = 1")
    shop.done("check")  # Ann has one message in the first conversation, so this is right
    shop.sql("UPDATE participant SET own_unread = 2 WHERE id = 1")
    assert re.search(r"participant 1\b", shop.faults())


def test_check_finds_a_missing_file(shop: Shop) -> None:
    """`check` names the attachment whose file is gone."""
    [(name,)] = shop.sql("SELECT file FROM attachment WHERE id = 1")
    (shop.files / name).unlink()
    assert re.search(r"attachment 1\b", shop.faults())


def test_check_finds_an_altered_file(shop: Shop) -> None:
    """`check` names the attachment whose file holds other bytes than were put there."""
    [(name,)] = shop.sql("SELECT thumbnail FROM attachment WHERE id = 1")
    stored = shop.files / name
    stored.write_bytes(stored.read_bytes()[:-1] + b"?")
    assert re.search(r"attachment 1\b", shop.faults())


def test_check_finds_a_missing_picture(shop: Shop) -> None:
    """`check` names the user whose picture is gone."""
    [(name,)] = shop.sql("SELECT avatar FROM account WHERE id = 3")
    (shop.files / name).unlink()
    assert re.search(r"account 3\b", shop.faults())


def test_check_tells_every_fault(shop: Shop) -> None:
    """`check` does not stop at the first fault."""
    shop.sql("UPDATE conversation SET starter_id = 3 WHERE id = 2")
    shop.sql("UPDATE account SET digits = '1' WHERE id = 2")
    told = shop.faults()
    assert re.search(r"conversation 2\b", told) and re.search(r"account 2\b", told)


def test_check_changes_nothing(shop: Shop) -> None:
    """`check` leaves a faulty store as it was, byte for byte."""
    shop.sql("UPDATE conversation SET last_seq = last_seq + 1 WHERE id = 1")
    before = hashlib.sha256(shop.path.read_bytes()).digest()
    shop.faults()
    assert hashlib.sha256(shop.path.read_bytes()).digest() == before


def test_check_makes_no_store(tmp_path: Path) -> None:
    """`check` where there is no store says so and makes none."""
    refused(f"sqlite:///{tmp_path}/none.db", "check")
    assert not list(tmp_path.iterdir())


def test_check_reports_damaged_pages(shop: Shop) -> None:
    """`check` tells of a store whose pages were overwritten, in words and without a traceback."""
    size = shop.path.stat().st_size
    with shop.path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xa5" * (size // 2))
    result = run(shop.database, "check")
    assert result.exit_code != 0
    one_sentence(result.stderr)


# backup, restore, migrate


def test_backup_and_restore(shop: Shop, tmp_path: Path) -> None:
    """A restored backup holds the same rows and files as the store it was made of, and passes `check`."""
    shop.done("backup", str(tmp_path / "b.tar"))
    other = Shop(tmp_path / "other")
    other.folder.mkdir()
    other.done("restore", str(tmp_path / "b.tar"))
    other.done("check")
    query = "SELECT id, body FROM message ORDER BY id"
    assert other.sql(query) == shop.sql(query)
    assert sorted(p.name for p in other.files.iterdir()) == sorted(p.name for p in shop.files.iterdir())


def test_backup_leaves_one_file(shop: Shop, tmp_path: Path) -> None:
    """`backup` writes its one file and leaves nothing else beside it."""
    folder = tmp_path / "backups"
    folder.mkdir()
    shop.done("backup", str(folder / "b.tar"))
    assert [path.name for path in folder.iterdir()] == ["b.tar"]


@pytest.mark.parametrize("words", [["backup", "m.tar"], ["export", "x.gz"]])
def test_a_file_needs_a_folder(shop: Shop, tmp_path: Path, words: list[str]) -> None:
    """What writes a file names the folder that is not there, and what to do."""
    command, name = words
    said = shop.refused(command, str(tmp_path / "none" / name))
    assert f"The folder {tmp_path}/none does not exist; please make it, or name another file." in said


def test_backup_of_a_faulty_store_is_refused(shop: Shop, tmp_path: Path) -> None:
    """`backup` verifies what it has written, and leaves no file that does not pass."""
    shop.sql("UPDATE conversation SET last_seq = last_seq + 1 WHERE id = 1")
    shop.refused("backup", str(tmp_path / "b.tar"))
    assert not (tmp_path / "b.tar").exists()


def test_restore_refuses_to_overwrite(shop: Shop, tmp_path: Path) -> None:
    """`restore` replaces a store that is there only with --force."""
    shop.done("backup", str(tmp_path / "b.tar"))
    shop.done("user", "add", "late")
    said = shop.refused("restore", str(tmp_path / "b.tar"))
    assert "are there already; --force replaces them" in said
    assert "late" in shop.done("user", "list")
    shop.done("restore", str(tmp_path / "b.tar"), "--force")
    assert "late" not in shop.done("user", "list")
    shop.done("check")


def test_restore_of_no_backup_changes_nothing(shop: Shop, tmp_path: Path) -> None:
    """`restore --force` of a file that is no backup leaves the store as it is."""
    (tmp_path / "b.tar").write_bytes(b"not a backup at all" * 1000)
    shop.refused("restore", str(tmp_path / "b.tar"), "--force")
    assert "ann" in shop.done("user", "list")
    shop.done("check")


def test_restore_of_a_cut_backup_changes_nothing(shop: Shop, tmp_path: Path) -> None:
    """`restore --force` of a backup that was cut short leaves the store as it is."""
    backup = tmp_path / "b.tar"
    shop.done("backup", str(backup))
    with backup.open("r+b") as file:
        file.truncate(backup.stat().st_size // 2)
    shop.refused("restore", str(backup), "--force")
    shop.done("check")


@contextmanager
def writing(live: Live, threads: int) -> Iterator[list[bytes]]:
    """Writers at a server; the list is what has been acknowledged so far."""
    acknowledged: list[bytes] = []
    finished = Event()
    starter = live.member()
    writers = [live.member() for _ in range(threads)]
    begun = starter.rpc.new_conversation([each.name.encode() for each in writers], b"Busy", b"first")

    def write(rpc: Any, name: str) -> None:
        number = 0
        while not finished.is_set():
            body = f"{name} {(number := number + 1)}".encode()
            assert rpc.reply_conversation(begun["conv_id"], body)["result"]
            acknowledged.append(body)

    with ThreadPoolExecutor(threads) as pool:
        runs = [pool.submit(write, each.rpc, each.name) for each in writers]
        try:
            yield acknowledged
        finally:
            finished.set()
    for each in runs:
        each.result()


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    latest = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < latest, "it did not happen in time"
        time.sleep(0.01)


def bodies(path: Path) -> list[bytes]:
    with closing(sqlite3.connect(path)) as connection:
        return [body.encode() for (body,) in connection.execute("SELECT body FROM message ORDER BY id")]


def test_backup_while_a_server_writes(live: Live, tmp_path: Path) -> None:
    """A backup under load holds all that was acknowledged before it, passes `check`, and can be served."""
    (tmp_path / "new").mkdir()
    member = live.member()
    with writing(live, 3) as acknowledged:
        wait_for(lambda: len(acknowledged) >= 30)
        before = list(acknowledged)
        place = ["--database", live.database, "--files", str(live.files)]
        backup = [*PROGRAM, "backup", str(tmp_path / "b.tar"), *place]
        subprocess.run(backup, check=True, capture_output=True, timeout=60)
    other = Shop(tmp_path / "new")
    other.done("restore", str(tmp_path / "b.tar"))
    other.done("check")
    assert set(before) <= set(bodies(other.path))
    again = Live(other.folder, database=other.database)
    try:
        assert opens(bearer(again, member.token))
    finally:
        again.stop()


def test_migrate_makes_the_steps_once(tmp_path: Path) -> None:
    """`migrate` takes the steps that a store lacks, and none the second time."""
    store = Shop(tmp_path)
    assert "0001" in store.done("migrate")
    assert "0001" not in store.done("migrate")
    store.done("check")


def test_an_older_store_is_migrated_by_itself(tmp_path: Path) -> None:
    """A command brings an older embedded store up to date by itself, after a copy of what it held."""
    store = Shop(tmp_path)
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute("CREATE TABLE old (x)")
        connection.commit()
    store.done("user", "add", "ann")
    store.done("check")
    [copy] = [path for path in tmp_path.iterdir() if path.name.startswith("live.db.before-")]
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("old",)]


@pytest.mark.parametrize(
    "command",
    [["backup", "b.tar"], ["export", "e.jsonl"], ["user", "list"], ["token", "add", "ann"], ["check"]],
)
def test_what_only_looks_makes_no_store(tmp_path: Path, command: list[str]) -> None:
    """A command that needs a store, given an address without one, says so and makes none."""
    assert "There is no store" in refused(f"sqlite:///{tmp_path}/none.db", *in_folder(command, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_files_on_another_disk_are_restored(shop: Shop, other_disk: Path) -> None:
    """A store whose files lie on another disk is restored whole."""
    files = ["--files", str(other_disk / "files")]
    shutil.copytree(shop.files, other_disk / "files")
    shop.done("backup", str(shop.folder / "b.tar"), *files)
    shop.done("restore", str(shop.folder / "b.tar"), "--force", *files)
    shop.done("check", *files)


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """A folder on a file system that is not the tests' own."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


def test_a_restore_that_fails_changes_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last step of a restore fails, the old store, its log and its files are where they were."""
    shop.done("backup", str(shop.folder / "b.tar"))
    shop.done("user", "add", "later", input="secret")
    before = sorted(path.name for path in shop.files.iterdir())
    move = os.replace

    def failing(source: Path, target: Path) -> None:
        if Path(target) == shop.path and Path(source).parent.name == "new":
            raise OSError(errno.EBUSY, "Device or resource busy", str(target))
        move(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", failing)
        assert "busy" in shop.refused("restore", str(shop.folder / "b.tar"), "--force")
    assert "later" in shop.done("user", "list")
    assert sorted(path.name for path in shop.files.iterdir()) == before
    shop.done("check")


def test_a_folder_that_holds_something_is_not_replaced(shop: Shop) -> None:
    """`restore` replaces neither a store nor a folder of files without --force."""
    shop.done("backup", str(shop.folder / "b.tar"))
    precious = shop.folder / "precious"
    precious.mkdir()
    (precious / "keep.txt").write_text("keep")
    other = f"sqlite:///{shop.folder}/other.db"
    assert "precious" in refused(other, "restore", str(shop.folder / "b.tar"), "--files", str(precious))
    assert (precious / "keep.txt").read_text() == "keep"


def test_an_empty_store_is_no_backup(shop: Shop) -> None:
    """A backup whose store holds nothing is refused, and the old store stays."""
    (shop.folder / "store.db").touch()
    with tarfile.open(shop.folder / "empty.tar", "w") as archive:
        archive.add(shop.folder / "store.db", "store.db")
    assert "empty" in shop.refused("restore", str(shop.folder / "empty.tar"), "--force")
    assert "ann" in shop.done("user", "list")


def test_what_is_written_is_its_owner_s(shop: Shop) -> None:
    """Stores, copies and backups can be read by nobody else on the machine."""
    shop.done("backup", str(shop.folder / "b.tar"))
    shop.done("restore", str(shop.folder / "b.tar"), "--force")
    new = f"sqlite:///{shop.folder}/new.db"
    done(new, "migrate")
    for path in (shop.folder / "b.tar", shop.path, shop.files, shop.folder / "new.db"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("name", ["a\nb", "a\u200bnn", "a\u202enn", "a\u2028b"])
def test_names_can_be_seen(shop: Shop, name: str) -> None:
    """A user name with characters that cannot be seen, by which it could look like another, is refused."""
    assert "can be seen" in shop.refused("user", "add", name)


def test_localhost_is_an_address(tmp_path: Path) -> None:
    """`serve` takes the name of a host for its address."""
    server = Live(tmp_path, "--host", "localhost")
    assert urlopen(f"{server.address}/healthz").status == 200
    server.stop()


def test_reference_names_every_method() -> None:
    """`reference` writes every method with its parameters."""
    result = CliRunner().invoke(main, ["reference"], catch_exceptions=False)
    assert result.exit_code == 0
    for name in ("new_conversation(", "get_conversations(", "login(", "system.multicall("):
        assert name in result.stdout


# What goes wrong

STORE_COMMANDS = [
    ["user", "list"],
    ["user", "add", "eve"],
    ["token", "list", "ann"],
    ["key", "add", "city"],
    ["check"],
    ["migrate"],
    ["backup", "{folder}/b.tar"],
    ["export", "{folder}/e.jsonl"],
    ["serve", "--port", "0"],
]
STORE_IDS = [" ".join(command[:2]) for command in STORE_COMMANDS]


def in_folder(command: list[str], folder: Path) -> list[str]:
    return [word.format(folder=folder) for word in command]


@pytest.mark.parametrize("command", STORE_COMMANDS, ids=STORE_IDS)
def test_a_folder_that_does_not_exist(tmp_path: Path, command: list[str]) -> None:
    """Where the store's folder does not exist, a command says so in one sentence and makes nothing."""
    refused(f"sqlite:///{tmp_path}/none/live.db", *in_folder(command, tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", STORE_COMMANDS, ids=STORE_IDS)
def test_a_newer_store_is_refused(shop: Shop, tmp_path: Path, command: list[str]) -> None:
    """A store that a newer program has made is refused in one sentence and left as it is."""
    shop.sql("INSERT INTO migration (name, applied) SELECT '9999_future', applied FROM migration LIMIT 1")
    assert "newer" in shop.refused(*in_folder(command, tmp_path))
    assert shop.sql("SELECT COUNT(*) FROM account") == [(4,)]


@pytest.mark.parametrize("command", STORE_COMMANDS, ids=STORE_IDS)
@pytest.mark.parametrize("content", [b"This is a shopping list.\n" * 400, b"short"], ids=["long", "short"])
def test_a_file_that_is_no_database(tmp_path: Path, command: list[str], content: bytes) -> None:
    """A file that is no database is refused in one sentence and left as it is."""
    path = tmp_path / "live.db"
    path.write_bytes(content)
    refused(f"sqlite:///{path}", *in_folder(command, tmp_path))
    assert path.read_bytes() == content


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    """A folder where the store should be is refused in one sentence."""
    refused(f"sqlite:///{tmp_path}", "user", "list")


@pytest.mark.parametrize("address", ["nonsense", "oracle://x/y", "sqlite:/"])
def test_an_address_of_no_store(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database address of a kind that nobody knows is refused in one sentence."""
    monkeypatch.chdir(tmp_path)
    refused(address, "user", "list")


def test_the_real_program_shows_no_traceback(tmp_path: Path) -> None:
    """The program in a process of its own ends with an error, one sentence and nothing on standard output."""
    command = [*PROGRAM, "user", "list", "--database", f"sqlite:///{tmp_path}/none/live.db"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    assert ended.stdout == ""
    one_sentence(ended.stderr)


def test_the_real_program_adds_a_user(tmp_path: Path) -> None:
    """The program in a process of its own takes a password from a pipe and makes the store on first use."""
    command = [*PROGRAM, "user", "add", "ann", "--password-stdin"]
    ended = subprocess.run(
        command, input="secret\n", capture_output=True, text=True, timeout=60, cwd=tmp_path, env=bare()
    )
    assert (ended.returncode, ended.stdout) == (0, "")
    assert "ann" in done(f"sqlite:///{tmp_path}/switchboard.db", "user", "list")


def test_the_console_command_is_the_same_program() -> None:
    """`switchboard` and `python -m server` say the same of themselves."""
    command = Path(sys.executable).with_name("switchboard")
    if not command.exists():
        pytest.skip("the console command is not installed")
    said = [
        subprocess.run([*start, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
        for start in (PROGRAM, [str(command)])
    ]
    assert said[0] == said[1]


# Settings


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """All commands that are no groups, by their names."""
    for name, each in getattr(command, "commands", {}).items():
        if isinstance(each, click.Group):
            yield from leaves(each, (*path, name))
        else:
            yield " ".join((*path, name)), each


COMMANDS = dict(leaves(main))


WITHOUT_STORE = ("config check", "config table", "deploy list", "deploy show", "completion")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_the_store(name: str) -> None:
    """Every command on a store takes `--database`, but for the one that is told two places."""
    if name in WITHOUT_STORE:
        return
    if name == "move":
        assert [option.human_readable_name for option in COMMANDS[name].params[:2]] == ["FROM", "TO"]
        return
    assert "--database" in [word for option in COMMANDS[name].params for word in option.opts]


PROMISED = {
    *("serve", "check", "backup", "restore", "migrate", "reference", "move", "export", "import"),
    *("user add", "user list", "user password", "user disable", "user enable", "user edit"),
    *("token add", "token list", "token revoke", "key add", "key list", "key revoke"),
    *("config show", "config check", "config table"),
}


def test_every_command_is_there() -> None:
    """The program has every command that it promises."""
    assert set(COMMANDS) >= PROMISED
