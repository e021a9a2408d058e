"""What all methods of the phone door share: who a call is for, and the shapes of a no."""

from collections.abc import Callable
from typing import Annotated, Any, NotRequired, TypedDict, TypeVar
from xmlrpc.client import Fault

from models import User

from ... import text
from ...actions import access
from ...errors import KeyReused, NotAuthenticated, Refusal, TooMany
from ...visits import Script
from ...wire.declare import Instead, Transaction, camel
from ...wire.types import KEY, STRING, Array, Codec, Looked, Seconds, Struct, load_natural
from ..face import Face
from ..showing import whole

ABOUT = """For the scripts of a game server, which act for every player. Make a key with
switchboard key add LABEL; it is the password of "server", or stands in the header Authorization (Bearer KEY)
or X-API-Key. Connect a player, create a room, send a message:

    from xmlrpc.client import ServerProxy

    phone = ServerProxy("http://server:KEY@127.0.0.1:8000/RPC2")
    phone.Players_Connect(7, "license:5f3a", "555-0107", "Eve Moreno")
    room = phone.Darkchat_CreateConversationBySrc(7, "Heist Planning")["newConv"]
    phone.Darkchat_SendMessageBySrc(7, room["id"], "At midnight.")

The same with curl:

    curl -H "X-API-Key: KEY" http://127.0.0.1:8000/RPC2 -d "<methodCall>
      <methodName>Darkchat_CreateConversationByNumber</methodName>
      <params><param><value>555-0107</value></param>
      <param><value>Heist Planning</value></param></params></methodCall>"

Methods that end in Src take the server id of a connected player, those that end in Number a phone number,
which is compared by its digits; send it as a string, since ten digits do not fit an int. Text travels as
plain strings, ids and moments (in seconds since 1970) as ints, and what has no value is absent.

Where something cannot be done, the answer is false, an empty array, or success false with a message that says
why in a string. Faults are for wrong arguments, a missing key, and (422) an Idempotency-Key under which
another call has come before."""
# What examples say, by the names of parameters; all of it is true of the cast of `serve --demo`.
ANN = {"src": 1, "identifier": "license:demo-ann", "number": "555-0101", "name": "Ann"}
BOB = {"src": 2, "identifier": "license:demo-bob", "number": "555-0102", "name": "Bob"}
VALUES = {
    **ANN,
    "name": "Heist Planning",
    "from": ANN["number"],
    "to": BOB["number"],
    "callId": "1",
    "contactNumber": "555-0104",
    "firstname": "Dave",
    "lastname": "Miller",
    "PhoneApp_DeleteContact.contactId": 2,
    "fields": {"notes": "Has a van"},
    "joinCode": "NIGHT24",
    "conversationId": 4,
    "text": "At midnight.",
    "message": "Your car is ready.",
    "epoch": "2026-11-22 20:00",
    "players": [ANN, BOB],
    "Players_Connect.src": 7,
    "Players_Connect.identifier": "license:5f3a",
    "Players_Connect.number": "555-0107",
    "Players_Connect.name": "Eve Moreno",
    "Players_Disconnect.src": 7,
}
F = TypeVar("F", bound=Callable[..., Any])


class Outcome(TypedDict):
    """Whether it was done; *message* says why not."""

    success: bool
    message: NotRequired[str]


class Said(TypedDict):
    """A message; *sender* is a number, or a name where there is none."""

    id: int
    sender: str
    content: str
    type: str
    createdAt: Seconds


def refuse(returns: Codec, error: Refusal) -> Any:
    """A no in the shape of what the method returns; what says nothing about the game is a fault."""
    if isinstance(error, NotAuthenticated | TooMany | KeyReused):
        raise Fault(error.code, str(error))
    if isinstance(returns, Struct):
        return {"success": False, "message": str(error)}
    return [] if isinstance(returns, Array) else False


face = Face(Script, refuse, camel)

SOURCE_WORDS, NUMBER_WORDS = "the server id of a connected player", "a phone number"
# How a player is named, by the end of a method's name.
BY_NAME = {
    "Src": Instead("src", Annotated[User, Looked(KEY, access.player_at)], SOURCE_WORDS),
    "Number": Instead("number", Annotated[User, Looked(STRING, access.player_with)], NUMBER_WORDS),
}
PAGE, MOST = 50, 200
# How many of a list are wanted; more than the most are not an error.
Limit = Annotated[int, Codec("int", lambda value: min(load_natural(value), MOST))]


def for_player(stem: str, transaction: Transaction = "write", once: bool = False) -> Callable[[F], F]:
    """Publish the function below twice: for the *player* under a source, and with a number."""
    return published_twice(stem, "player", BY_NAME, transaction, once)


def published_twice(
    stem: str, key: str, ways: dict[str, Instead], transaction: Transaction, once: bool = False
) -> Callable[[F], F]:
    """Publish the function below once for each of the *ways* in which its parameter *key* is named."""

    def publish(function: F) -> F:
        for ending, way in ways.items():
            face.method(f"{stem}{ending}", transaction, instead={key: way}, once=once)(function)
        return function

    return publish


def said(message: Any, sender: str) -> Said:
    """A message, or a row with its columns, as a phone shows it: without the forum's markup."""
    return {
        "id": message.id,
        "sender": sender,
        "content": text.unmarked(whole(message)),
        "type": message.kind,
        "createdAt": message.sent_at,
    }
