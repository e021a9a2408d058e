"""Players: connected, disconnected, told of all at once, and looked up."""

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple
from urllib.request import Request, urlopen
from xmlrpc.client import Fault, dumps, loads

import pytest
from conftest import Live, Member

from models import User, database
from server.actions import accounts

BAD_PARAMS = -32602
places = count(1_000_000)
# The two forms in which text with an accent can travel: one sign, or a letter and a mark.
ONE_SIGN, WITH_A_MARK = "\u00e9", "e\u0301"


class Someone(NamedTuple):
    """A player as a game server describes him."""

    src: int
    identifier: str
    number: str
    name: str


def someone() -> Someone:
    """A player whom no other test knows."""
    place = next(places)
    return Someone(place, f"steam:{place}", f"777-{place}", f"Someone {place}")


def connected(script: Any, **details: Any) -> Someone:
    """A new player who has connected."""
    player = someone()._replace(**details)
    assert script.Players_Connect(*player)["success"] is True
    return player


def new_epoch() -> str:
    return f"started {next(places)}"


def sync(script: Any, epoch: str, *players: Someone) -> Any:
    return script.Players_Sync(epoch, [player._asdict() for player in players])


def user_of(live: Live, player: Someone) -> User:
    """The user whom the store has for a player."""
    with live.store():
        user: User = User.get(User.identifier == player.identifier)
        return user


def is_no(answer: Any) -> bool:
    """Whether it is a refusal with a text, and nothing else."""
    return answer["success"] is False and bool(answer["message"]) and answer.keys() == {"success", "message"}


def source_of(live: Live, element: str, number: str) -> Any:
    """The source of the player with a number that is written as an XML-RPC value of this type."""
    value = f"<param><value><{element}>{number}</{element}></value></param>"
    call = dumps((), "GetPlayerSrcFromActiveNumber").replace("<params>", f"<params>{value}")
    headers = {"Content-Type": "text/xml", "Authorization": f"Bearer {live.key()}"}
    with urlopen(Request(f"{live.address}/mobiquo/mobiquo.php", call.encode(), headers)) as response:
        [answer], _ = loads(response.read())
    return answer


@pytest.fixture
def script(live: Live) -> Any:
    """A script of the game server's."""
    return live.script()


def test_the_answer_to_connecting_is_the_user(live: Live, script: Any) -> None:
    """Connecting gives the user's id as an int, and nothing more."""
    player = someone()
    answer = script.Players_Connect(*player)
    assert answer == {"success": True, "userId": user_of(live, player).id}
    assert type(answer["userId"]) is int


def test_a_new_identifier_makes_a_user(live: Live, script: Any) -> None:
    """A player with an unknown identifier becomes a user with his name and number, without a password."""
    player = connected(script)
    user = user_of(live, player)
    assert (user.password, user.number, user.display_name) == (None, player.number, player.name)


def test_an_identifier_names_the_user_for_ever(script: Any) -> None:
    """A player keeps his user, whatever else about him has changed."""
    before, after = someone(), someone()
    first = script.Players_Connect(*before)
    script.Players_Disconnect(before.src)
    assert script.Players_Connect(*after._replace(identifier=before.identifier)) == first


def test_a_forum_member_stays_who_he_is(live: Live, script: Any) -> None:
    """A forum member with an identifier is the user who connects, and keeps his password."""
    player = someone()
    member = live.member("forum", "secret", identifier=player.identifier)
    assert script.Players_Connect(*player)["userId"] == int(member.id)
    user = user_of(live, player)
    assert user.password and user.username == member.name


@pytest.mark.parametrize("form", [ONE_SIGN, WITH_A_MARK])
def test_an_identifier_is_one_in_either_form(script: Any, form: str) -> None:
    """An identifier with an accent names one user, in whichever form it travels."""
    player = someone()
    identifier = f"{player.identifier} {ONE_SIGN}"
    first = script.Players_Connect(*player._replace(identifier=identifier))
    again = player._replace(identifier=identifier.replace(ONE_SIGN, form))
    assert script.Players_Connect(*again) == first


def test_the_number_becomes_his(script: Any) -> None:
    """After connecting with another number the player has that one, and nobody has the old one."""
    player = connected(script)
    number = someone().number
    script.Players_Connect(*player._replace(number=number))
    assert script.GetNumberFromPlayer(player.src) == number
    assert script.GetPlayerSrcFromActiveNumber(player.number) is False


def test_the_name_is_brought_up_to_date(live: Live, script: Any) -> None:
    """A known player who connects with another name is shown with that one."""
    player = connected(script)
    script.Players_Connect(*player._replace(name="Renamed"))
    assert user_of(live, player).display_name == "Renamed"


def test_a_number_of_another_user_is_refused(script: Any) -> None:
    """A number that another user holds, however it is written, is a no with a text."""
    other = connected(script)
    assert is_no(script.Players_Connect(*someone()._replace(number=other.number.replace("-", " "))))


def test_a_refused_newcomer_is_not_made(live: Live, script: Any) -> None:
    """A new player with another user's number does not become a user."""
    other, player = connected(script), someone()
    script.Players_Connect(*player._replace(number=other.number))
    with live.store():
        assert User.get_or_none(User.identifier == player.identifier) is None


def test_a_refused_player_keeps_his_name_and_number(live: Live, script: Any) -> None:
    """A known player who comes with another user's number stays who he was, and is no longer where he was."""
    other, player = connected(script), connected(script)
    refused = someone()._replace(identifier=player.identifier, number=other.number)
    assert is_no(script.Players_Connect(*refused))
    assert user_of(live, player).display_name == player.name
    assert script.GetNumberFromIdentifier(player.identifier) == player.number
    assert [script.GetNumberFromPlayer(src) for src in (player.src, refused.src)] == [False, False]


def test_a_source_is_nobody_s_where_the_next_is_refused(script: Any) -> None:
    """Who was connected under a source is gone once another one comes for it, refused or not."""
    other, holder = connected(script), connected(script)
    assert is_no(script.Players_Connect(*someone()._replace(src=holder.src, number=other.number)))
    assert script.GetPlayerSrcFromActiveNumber(holder.number) is False


def test_a_refused_sync_takes_no_number(script: Any) -> None:
    """Players who cannot be connected keep the numbers that they have, whoever else wants them."""
    outsider, first, second = connected(script), connected(script), connected(script)
    script.Players_Disconnect(outsider.src)
    moved = [
        second._replace(src=0, number=first.number)._asdict(),
        first._replace(number=outsider.number)._asdict(),
    ]
    script.Players_Sync(f"of {first.identifier}", moved)
    kept = [script.GetNumberFromIdentifier(each.identifier) for each in (first, second)]
    assert kept == [first.number, second.number]


def test_connecting_again_is_harmless(script: Any) -> None:
    """To say twice that a player has connected answers the same and leaves him connected."""
    player = someone()
    assert script.Players_Connect(*player) == script.Players_Connect(*player)
    assert script.GetPlayerSrcFromActiveNumber(player.number) == player.src


def test_a_source_in_use_passes_on(script: Any) -> None:
    """A source belongs to the player who connected under it last; the one before is not connected."""
    before = connected(script)
    after = connected(script, src=before.src)
    assert script.GetNumberFromPlayer(before.src) == after.number
    assert script.GetPlayerSrcFromActiveNumber(before.number) is False


def test_a_player_has_one_source(script: Any) -> None:
    """A player who comes back under another source loses the old one."""
    player = connected(script)
    again = connected(script, identifier=player.identifier, number=player.number)
    assert script.GetPlayerSrcFromActiveNumber(player.number) == again.src
    assert script.GetNumberFromPlayer(player.src) is False


def test_a_source_may_pass_to_a_player_who_has_another(script: Any) -> None:
    """A player who takes the source of another has that one alone."""
    one, other = connected(script), connected(script)
    connected(script, src=other.src, identifier=one.identifier, number=one.number)
    assert script.GetNumberFromPlayer(one.src) is False
    assert script.GetNumberFromPlayer(other.src) == one.number


@pytest.mark.parametrize(
    "wrong",
    [
        {"src": 0},
        {"src": -1},
        {"identifier": ""},
        {"identifier": "x" * 256},
        {"number": ""},
        {"number": "none"},
        {"number": "1" * 33},
    ],
    ids=str,
)
def test_what_no_player_can_have(script: Any, wrong: dict[str, Any]) -> None:
    """A source that is not above 0, no identifier, or no number is a no with a text."""
    assert is_no(script.Players_Connect(*someone()._replace(**wrong)))


@pytest.mark.parametrize("src", [0, -1, 2**31 - 1])
@pytest.mark.parametrize("method", ["Players_Disconnect", "GetNumberFromPlayer"])
def test_nobody_is_connected_there(script: Any, method: str, src: int) -> None:
    """A source under which nobody is connected is a plain false."""
    assert getattr(script, method)(src) is False


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("\u200bZo\u202ee\u2066", "Zoe"),
        ("  two \n words ", "two words"),
        ("x" * 500, "x" * 64),
        ("\u200b\u200e", "Player {number}"),
        ("", "Player {number}"),
    ],
)
def test_every_name_connects(live: Live, script: Any, given: str, shown: str) -> None:
    """A player is shown with what can be seen of his name, or else with his number."""
    player = connected(script, name=given)
    user = user_of(live, player)
    assert user.display_name == shown.format(number=player.number)
    assert user.username.strip() and user.username.isprintable()


def test_a_name_with_commas_connects(live: Live, script: Any) -> None:
    """A player is shown with his commas, and has a user name without, which can be given among others."""
    player = connected(script, name="Moreno, Eve")
    user = user_of(live, player)
    assert (user.display_name, user.username) == ("Moreno, Eve", "Moreno Eve")


def test_a_taken_name_connects(live: Live, script: Any) -> None:
    """Players of one name have user names of their own, and are shown with the name that they share."""
    first, second, third = (connected(script, name=f"Twin {ONE_SIGN}") for _ in range(3))
    users = [user_of(live, player) for player in (first, second, third)]
    assert {user.display_name for user in users} == {f"Twin {ONE_SIGN}"}
    assert len({user.username_key for user in users}) == 3


def test_a_member_s_name_stays_his(live: Live, script: Any) -> None:
    """A player with the name of a forum member, in any case, becomes another user."""
    member = live.member("namesake")
    player = someone()._replace(name=member.name.upper())
    assert script.Players_Connect(*player)["userId"] != int(member.id)
    assert user_of(live, player).username != member.name


def test_a_disabled_user_cannot_connect(live: Live, script: Any) -> None:
    """A user who is disabled is refused with a text."""
    player = connected(script)
    with live.store(), database.atomic():
        accounts.disable(User.get(User.identifier == player.identifier))
    assert is_no(script.Players_Connect(*player))


def test_disabling_disconnects(live: Live, script: Any) -> None:
    """A user who is disabled has no source any more, and his number is nobody's to look up."""
    player = connected(script)
    with live.store(), database.atomic():
        accounts.disable(User.get(User.identifier == player.identifier))
    assert script.GetNumberFromPlayer(player.src) is False
    assert script.GetNumberFromIdentifier(player.identifier) is False
    assert script.GetPlayerSrcFromActiveNumber(player.number) is False


def test_disabling_ends_the_connection_for_good(live: Live, script: Any) -> None:
    """A user who is enabled again is not connected until the game server says so."""
    player = connected(script)
    with live.store(), database.atomic():
        user = User.get(User.identifier == player.identifier)
        accounts.disable(user)
        accounts.enable(user)
    assert script.GetPlayerSrcFromActiveNumber(player.number) is False
    assert script.Players_Connect(*player)["success"] is True


def test_disconnecting_forgets_the_source(script: Any) -> None:
    """A player who has disconnected has no source; a second time there is nothing to forget."""
    player = connected(script)
    assert [script.Players_Disconnect(player.src) for _ in range(2)] == [True, False]
    assert script.GetPlayerSrcFromActiveNumber(player.number) is False


def test_an_identifier_is_looked_up_without_a_source(script: Any) -> None:
    """The number of an identifier is known whether its player is connected or not."""
    player = connected(script)
    script.Players_Disconnect(player.src)
    assert script.GetNumberFromIdentifier(player.identifier) == player.number


def test_a_number_is_looked_up_by_source(script: Any) -> None:
    """A player's number is given as it was told."""
    player = connected(script)
    assert script.GetNumberFromPlayer(player.src) == player.number


@pytest.mark.parametrize("number", ["000-000", "", "no digits"])
def test_nobody_has_that_number(script: Any, number: str) -> None:
    """A number of nobody's has no source."""
    assert script.GetPlayerSrcFromActiveNumber(number) is False


@pytest.mark.parametrize("identifier", ["", "nobody"])
def test_nobody_has_that_identifier(script: Any, identifier: str) -> None:
    """An unknown identifier has no number."""
    assert script.GetNumberFromIdentifier(identifier) is False


def test_a_member_without_a_number_has_none(live: Live, script: Any) -> None:
    """A forum member with an identifier and without a number is a false."""
    identifier = someone().identifier
    live.member(identifier=identifier)
    assert script.GetNumberFromIdentifier(identifier) is False


@pytest.mark.parametrize("form", ["{0}{1}", "({0}) {1}", "{0}.{1}", " {0}-{1} "])
def test_numbers_match_on_their_digits(script: Any, form: str) -> None:
    """A number is found by its digits, however it is written."""
    player = connected(script)
    written = form.format(*player.number.split("-"))
    assert script.GetPlayerSrcFromActiveNumber(written) == player.src


def test_a_number_may_be_an_integer(script: Any) -> None:
    """A number is taken as an int, in connecting and in looking up, and given as a string."""
    number = next(places)
    player = connected(script, number=number)
    assert script.GetPlayerSrcFromActiveNumber(number) == player.src
    assert script.GetNumberFromPlayer(player.src) == str(number)


@pytest.mark.parametrize("element", ["i8", "string"])
def test_a_long_number_may_be_an_integer(live: Live, script: Any, element: str) -> None:
    """A ten-digit number, which does not fit an int, is found as an i8 and as a string."""
    player = connected(script)
    assert source_of(live, element, player.number.replace("-", "")) == player.src


@pytest.mark.parametrize("who", ["nobody", "a user"])
def test_only_a_server_key_opens_the_methods(live: Live, ann: Member, who: str) -> None:
    """Without a server key, with a user's token too, every call is the fault 401."""
    rpc = live.proxy() if who == "nobody" else ann.rpc
    with pytest.raises(Fault) as caught:
        rpc.Players_Connect(*someone())
    assert caught.value.faultCode == 401


def test_a_sync_connects_everyone(script: Any) -> None:
    """Everyone in the list is connected under his source; the answer has their number."""
    players = [someone(), someone()]
    answer = sync(script, new_epoch(), *players)
    assert answer.keys() == {"success", "connected", "dropped"}
    assert (answer["success"], answer["connected"]) == (True, 2)
    assert [script.GetNumberFromPlayer(player.src) for player in players] == [p.number for p in players]


@pytest.mark.parametrize("lacking", [{}, {"number": ""}])
def test_a_sync_leaves_out_who_has_no_number_yet(script: Any, lacking: dict[str, Any]) -> None:
    """The others are connected, in the new epoch, and the message says who is left out."""
    old, ready, waiting = connected(script), someone(), someone()
    described = {"src": waiting.src, "identifier": waiting.identifier, "name": waiting.name, **lacking}
    answer = script.Players_Sync(new_epoch(), [ready._asdict(), described])
    assert (answer["success"], answer["connected"]) == (True, 1)
    assert answer["message"].startswith(f"{waiting.src}: ")
    assert script.GetNumberFromPlayer(old.src) is False


def test_a_sync_without_names_keeps_them(live: Live, script: Any) -> None:
    """A player who is listed without a name keeps the one he has, and is not connected anew."""
    epoch, player = new_epoch(), someone()
    sync(script, epoch, player)
    described = {key: value for key, value in player._asdict().items() if key != "name"}
    assert script.Players_Sync(epoch, [described]) == {"success": True, "connected": 1, "dropped": 0}
    assert user_of(live, player).display_name == player.name


def test_a_sync_passes_over_what_else_is_told(script: Any) -> None:
    """A game server may send its players as it has them, with more members than are asked for."""
    player = someone()
    answer = script.Players_Sync(new_epoch(), [{**player._asdict(), "job": "police", "hp": {"now": 90}}])
    assert answer == {"success": True, "connected": 1, "dropped": answer["dropped"]}


def test_a_sync_takes_a_table_of_lua(script: Any) -> None:
    """A list may come as a struct whose members are numbered from 1, or that has none."""
    epoch, first, second = new_epoch(), someone(), someone()
    table = {"2": second._asdict(), "1": first._asdict()}
    assert script.Players_Sync(epoch, table)["connected"] == 2
    assert script.Players_Sync(epoch, {})["connected"] == 0
    with pytest.raises(Fault, match="expected array, got struct"):
        script.Players_Sync(epoch, {"0": first._asdict()})


def test_a_sync_drops_whoever_is_missing(script: Any) -> None:
    """Who is not in the list is disconnected, and the others stay."""
    epoch, stays, goes = new_epoch(), someone(), someone()
    sync(script, epoch, stays, goes)
    assert sync(script, epoch, stays) == {"success": True, "connected": 1, "dropped": 1}
    assert script.GetPlayerSrcFromActiveNumber(stays.number) == stays.src
    assert script.GetPlayerSrcFromActiveNumber(goes.number) is False


def test_a_sync_drops_who_connected_by_himself(script: Any) -> None:
    """Who has connected since the last list, and is not in this one, is dropped."""
    epoch, listed = new_epoch(), someone()
    sync(script, epoch, listed)
    player = connected(script)
    assert sync(script, epoch, listed)["dropped"] == 1
    assert script.GetNumberFromPlayer(player.src) is False


def test_the_same_list_changes_nothing(script: Any) -> None:
    """A list that says what was said before drops nobody."""
    epoch, player = new_epoch(), someone()
    sync(script, epoch, player)
    assert sync(script, epoch, player) == {"success": True, "connected": 1, "dropped": 0}


@pytest.mark.parametrize("key", ["identifier", "name"])
def test_the_same_list_in_another_form_changes_nothing(script: Any, key: str) -> None:
    """A list with an accent, in the form that a letter and a mark make, drops nobody the second time."""
    epoch, player = new_epoch(), someone()
    player = player._replace(**{key: f"{getattr(player, key)} {WITH_A_MARK}"})
    sync(script, epoch, player)
    assert sync(script, epoch, player) == {"success": True, "connected": 1, "dropped": 0}


def test_an_epoch_is_one_in_either_form(script: Any) -> None:
    """An epoch with an accent, in the form that a letter and a mark make, is not new the second time."""
    epoch, player = f"{new_epoch()} {WITH_A_MARK}", someone()
    sync(script, epoch, player)
    assert sync(script, epoch, player)["dropped"] == 0


def test_an_empty_list_drops_everyone(script: Any) -> None:
    """A game server without players has nobody connected."""
    epoch = new_epoch()
    sync(script, epoch, someone(), someone())
    assert sync(script, epoch) == {"success": True, "connected": 0, "dropped": 2}


def test_a_new_epoch_drops_everyone_first(script: Any) -> None:
    """When the game server has started anew, all who were connected count as dropped, listed ones too."""
    stays, goes = someone(), someone()
    sync(script, new_epoch(), stays, goes)
    assert sync(script, new_epoch(), stays) == {"success": True, "connected": 1, "dropped": 2}
    assert script.GetPlayerSrcFromActiveNumber(goes.number) is False


def test_a_new_epoch_gives_sources_to_others(script: Any) -> None:
    """After a new start a source belongs to whom the list says."""
    before, after = someone(), someone()
    sync(script, new_epoch(), before)
    sync(script, new_epoch(), after._replace(src=before.src))
    assert script.GetNumberFromPlayer(before.src) == after.number


@pytest.mark.parametrize(("renewed", "in_call"), [(True, False), (False, True)])
def test_calls_end_with_their_epoch(script: Any, renewed: bool, in_call: bool) -> None:
    """A new epoch ends every call, also between players who are listed again; the same epoch ends none."""
    epoch, one, other = new_epoch(), someone(), someone()
    sync(script, epoch, one, other)
    assert script.PhoneApp_StartCall(one.number, other.number)
    sync(script, new_epoch() if renewed else epoch, one, other)
    assert script.PhoneApp_IsInCallBySrc(other.src) is in_call


def test_a_sync_ends_the_calls_of_the_dropped(script: Any) -> None:
    """A player who is missing in the list is in no call any more, nor is whom he talked with."""
    epoch, stays, goes = new_epoch(), someone(), someone()
    sync(script, epoch, stays, goes)
    assert script.PhoneApp_StartCall(goes.number, stays.number)
    sync(script, epoch, stays)
    assert script.PhoneApp_IsInCallByNumber(stays.number) is False


def test_a_sync_may_swap_sources(script: Any) -> None:
    """Two players who have changed places are both connected under their new sources."""
    epoch, one, other = new_epoch(), someone(), someone()
    sync(script, epoch, one, other)
    swapped = [one._replace(src=other.src), other._replace(src=one.src)]
    assert sync(script, epoch, *swapped)["connected"] == 2
    assert script.GetNumberFromPlayer(other.src) == one.number
    assert script.GetNumberFromPlayer(one.src) == other.number


def test_a_sync_brings_players_up_to_date(live: Live, script: Any) -> None:
    """A listed player has the name and number of the newest list."""
    epoch, player = new_epoch(), someone()
    sync(script, epoch, player)
    changed = player._replace(number=someone().number, name="Changed")
    assert sync(script, epoch, changed)["dropped"] == 0
    assert script.GetNumberFromPlayer(player.src) == changed.number
    assert user_of(live, player).display_name == "Changed"


def without_digits(player: Someone, _: Someone) -> Someone:
    return player._replace(number="none")


def with_a_taken_number(player: Someone, other: Someone) -> Someone:
    return player._replace(number=other.number)


def under_no_source(player: Someone, _: Someone) -> Someone:
    return player._replace(src=0)


@pytest.mark.parametrize("spoil", [without_digits, with_a_taken_number, under_no_source])
def test_one_refused_does_not_stop_the_others(
    script: Any, spoil: Callable[[Someone, Someone], Someone]
) -> None:
    """A player who cannot be connected is left out, in words that name him, and the others are connected."""
    first, last = someone(), someone()
    refused = spoil(someone(), first)
    answer = sync(script, new_epoch(), first, refused, last)
    assert (answer["success"], answer["connected"]) == (True, 2)
    assert str(refused.src) in answer["message"]
    assert [script.GetNumberFromPlayer(p.src) for p in (first, last)] == [first.number, last.number]
    assert script.GetNumberFromPlayer(refused.src) is False


def test_a_disabled_player_is_left_out_of_a_sync(live: Live, script: Any) -> None:
    """A list may name a user who is disabled; he is not connected, and the answer says why."""
    player = connected(script)
    with live.store(), database.atomic():
        accounts.disable(User.get(User.identifier == player.identifier))
    answer = sync(script, new_epoch(), player)
    assert (answer["success"], answer["connected"]) == (True, 0)
    assert "disabled" in answer["message"]


@pytest.mark.parametrize("missing", ["src", "identifier"])
def test_a_listed_player_can_be_told_apart(script: Any, missing: str) -> None:
    """A struct that does not say who and where is the fault -32602 that names it, and nobody is dropped."""
    epoch, player = new_epoch(), someone()
    sync(script, epoch, player)
    struct = {key: value for key, value in someone()._asdict().items() if key != missing}
    with pytest.raises(Fault, match=missing) as caught:
        script.Players_Sync(epoch, [struct])
    assert caught.value.faultCode == BAD_PARAMS
    assert script.GetPlayerSrcFromActiveNumber(player.number) == player.src


@pytest.mark.parametrize(
    "players", ["", {"a": {}}, [5], [{"src": "one", "identifier": "", "number": "", "name": ""}]]
)
def test_a_list_has_players_in_it(script: Any, players: Any) -> None:
    """What is no array of players is the fault -32602."""
    with pytest.raises(Fault) as caught:
        script.Players_Sync(new_epoch(), players)
    assert caught.value.faultCode == BAD_PARAMS


def test_an_epoch_has_a_name(script: Any) -> None:
    """Without an epoch a list is refused with a text, and drops nobody."""
    player = connected(script)
    assert is_no(sync(script, ""))
    assert script.GetPlayerSrcFromActiveNumber(player.number) == player.src
