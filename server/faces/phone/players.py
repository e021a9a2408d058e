"""Players: connected, disconnected, and looked up by source, number or identifier."""

from typing import Annotated, Literal, NotRequired, TypedDict

from models import User, digits_of, source_of

from ...actions import access, players
from ...errors import Refusal
from ...wire.types import Key, Struct
from .door import Outcome, face


class Connected(Outcome):
    userId: NotRequired[int]


class Player(TypedDict):
    """A connected player; what else the game server knows of him may come along."""

    src: Key
    identifier: str
    number: NotRequired[str]
    name: NotRequired[str]


Described = Annotated[Player, Struct(Player, passes_over=True)]


class Synced(Outcome):
    connected: NotRequired[int]
    dropped: NotRequired[int]


@face.method("Players_Connect")
def connect(src: Key, identifier: str, number: str, name: str) -> Connected:
    """Say that a player has connected, or that his number or name has changed.

    A player with a new identifier becomes a user, without a password. A source in use passes to him, and
    a source that he had before is forgotten.

    :param src: his server id, above 0
    :param identifier: what names him for ever, such as license:…
    :param number: his phone number from now on; that of another user is refused
    :param name: his name, as others are shown it
    """
    try:
        user = players.connect(players.Wanted.of(src, identifier, number, name))
    except Refusal as refusal:
        # What this has said of the source counts even so, and a refusal that is raised would undo it.
        return {"success": False, "message": str(refusal)}
    return {"success": True, "userId": user.id}


@face.method("Players_Disconnect")
def disconnect(src: Key) -> bool:
    """Forget a source, and end the player's live call; false where nobody is connected under it.

    :param src: his server id
    """
    return players.disconnect([src]) > 0


@face.method("Players_Sync")
def sync(epoch: str, players_: list[Described]) -> Synced:
    """Say who is connected, all of them, and get the numbers of those connected now and dropped.

    Whoever is not in the list is dropped. With a new epoch everyone is dropped first, because sources start
    again for other people. A player who cannot be connected, such as one who has no number yet, is left out,
    and *message* says why. A request holds some 650 players; the server's settings allow more.

    :param epoch: names this run of the game server, for instance by the time of its start
    :param players_: structs of src, identifier, number and name; other members are passed over
    """
    wanted = [players.Wanted.of(**player) for player in players_]
    synced = players.sync(epoch, wanted)
    answer: Synced = {"success": True, "connected": synced.connected, "dropped": synced.dropped}
    return {**answer, "message": " ".join(synced.refused)} if synced.refused else answer


@face.method("GetNumberFromPlayer", "read")
def number_from_player(src: Key) -> str | Literal[False]:
    """Give the phone number of a connected player, or false.

    :param src: his server id
    """
    return access.player_at(src).number or False


@face.method("GetNumberFromIdentifier", "read")
def number_from_identifier(identifier: str) -> str | Literal[False]:
    """Give the phone number of a player, connected or not, or false.

    :param identifier: what names him for ever
    """
    user = User.enabled().where(User.identifier == identifier).first()
    return (user and user.number) or False


@face.method("GetPlayerSrcFromActiveNumber", "read")
def source_from_number(number: str) -> int | Literal[False]:
    """Give the server id of the connected player with a number, or false.

    :param number: the phone number
    """
    source = source_of.one(digits=digits_of(number))
    return source.src if source else False
