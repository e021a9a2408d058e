"""Players of the game: who is connected now, and under which source."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from models import GameServer, Source, User, database, digits_of, one_line

from ..errors import BadInput, NotAllowed, Refusal
from . import accounts, calls

LONGEST_IDENTIFIER = 255
LARGEST_SOURCE = 2**31 - 1


@dataclass(frozen=True)
class Wanted:
    """A player as the game server describes him."""

    src: int
    identifier: str
    number: str
    name: str

    @classmethod
    def of(cls, src: int, identifier: str, number: str = "", name: str = "") -> "Wanted":
        """The same in the form in which it is kept, so that it can be compared."""
        return cls(src, one_line(identifier), one_line(number), accounts.visible(name))


@dataclass
class Synced:
    """How many players are connected now, how many sources were dropped, and why some are left out."""

    connected: int
    dropped: int
    refused: list[str]


def connect(player: Wanted) -> User:
    """Make him who he is said to be the player at this source, a user where he is none.

    Also where that is refused nobody else stays at the source, and he himself at no other.
    """
    try:
        with database.atomic():
            user = known_as(player)
    except Refusal:
        leave_place(player, User.get_or_none(User.identifier == player.identifier))
        raise
    leave_place(player, user)
    Source.insert(src=player.src, user=user).on_conflict_ignore().execute()
    return user


def leave_place(player: Wanted, user: User | None) -> None:
    """Forget whoever else is at the player's source, and where else he is himself."""
    others = Source.select().where((Source.src == player.src) | (Source.user == user))
    here = (player.src, user.id if user else None)
    disconnect([each.src for each in others if (each.src, each.user_id) != here])


def known_as(player: Wanted) -> User:
    """The user whom the identifier names, brought up to date, or made."""
    if not 0 < player.src <= LARGEST_SOURCE:
        raise BadInput("A source is a number above 0.")
    if not player.identifier or len(player.identifier) > LONGEST_IDENTIFIER:
        raise BadInput(f"An identifier has 1 to {LONGEST_IDENTIFIER} characters.")
    if not digits_of(player.number):
        raise BadInput("A phone number needs digits.")
    user: User | None = User.get_or_none(User.identifier == player.identifier)
    if user is None:
        return accounts.add_player(player.identifier, player.number, player.name)
    if user.disabled_at:
        raise NotAllowed("This user is disabled.")
    accounts.edit_user(user, display_name=player.name or None, number=player.number)
    return user


def disconnect(sources: list[int]) -> int:
    """Forget these sources and end their players' live calls; how many there were."""
    if not sources:
        return 0
    gone = list(User.select().join(Source).where(Source.src.in_(sources)))
    calls.end_of([user.digits for user in gone if user.digits], calls.DISCONNECTED)
    return int(Source.delete().where(Source.src.in_(sources)).execute())


def sync(epoch: str, players: list[Wanted]) -> Synced:
    """Let exactly these players be connected; a new *epoch* drops everyone first."""
    epoch = one_line(epoch)
    if not epoch or len(epoch) > LONGEST_IDENTIFIER:
        raise BadInput(f"An epoch has 1 to {LONGEST_IDENTIFIER} characters.")
    dropped = begin(epoch)
    connected = {(each.src, each.identifier): each for each in there()}
    wanted = {(each.src, each.identifier): each for each in each_once(players)}
    dropped += disconnect([src for src, identifier in connected.keys() - wanted.keys()])
    changed = [each for key, each in wanted.items() if not is_as_described(connected.get(key), each)]
    # A number may pass from one of them to another who stands before him in the list.
    waiting = [each for each in changed if refusal_of(each)]
    refused = [f"{each.src}: {reason}" for each in waiting if (reason := refusal_of(each))]
    return Synced(Source.select().count(), dropped, refused)


def is_as_described(known: Wanted | None, player: Wanted) -> bool:
    """Whether nothing is to be done for a player; one without a name keeps the one he has."""
    return known is not None and known == (player if player.name else replace(player, name=known.name))


def refusal_of(player: Wanted) -> str:
    """Why the player cannot be connected; nothing where he is."""
    try:
        connect(player)
        return ""
    except Refusal as refusal:
        return str(refusal)


def each_once(players: list[Wanted]) -> Iterable[Wanted]:
    """One for each source and each player; the later one counts."""
    by_source = {each.src: each for each in players}
    return {each.identifier: each for each in by_source.values()}.values()


def begin(epoch: str) -> int:
    """Where the game server has started anew, forget all sources; how many there were."""
    server = GameServer.get_or_none()
    if server is not None and server.epoch == epoch:
        return 0
    GameServer.insert(id=1, epoch=epoch).on_conflict(
        conflict_target=[GameServer.id], update={GameServer.epoch: epoch}
    ).execute()
    calls.end_all()
    return int(Source.delete().execute())


def there() -> list[Wanted]:
    """Everyone who is connected, as the game server has described him."""
    rows = Source.select(Source.src, User).join(User)
    return [
        Wanted(row.src, row.user.identifier or "", row.user.number or "", row.user.display_name)
        for row in rows
    ]
