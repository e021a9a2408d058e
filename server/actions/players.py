"""Players of the game: who is connected now, and under which source."""

from collections.abc import Iterable
from dataclasses import dataclass

from models import GameServer, Source, User, clean, database, digits_of

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


@dataclass
class Synced:
    """How many players are connected now, how many sources were dropped, and why some are left out."""

    connected: int
    dropped: int
    refused: list[str]


def connect(src: int, identifier: str, number: str, name: str) -> User:
    """Make *src* the source of the player, who is made a user where he is none."""
    if not 0 < src <= LARGEST_SOURCE:
        raise BadInput("A source is a number above 0.")
    if not identifier or len(identifier) > LONGEST_IDENTIFIER:
        raise BadInput(f"An identifier has 1 to {LONGEST_IDENTIFIER} characters.")
    if not digits_of(number):
        raise BadInput("A phone number needs digits.")
    user = known_as(identifier, number, name)
    others = Source.select().where((Source.src == src) | (Source.user == user))
    disconnect([each.src for each in others if (each.src, each.user_id) != (src, user.id)])
    Source.insert(src=src, user=user).on_conflict_ignore().execute()
    return user


def known_as(identifier: str, number: str, name: str) -> User:
    """The user with this identifier, brought up to date, or made."""
    user: User | None = User.get_or_none(User.identifier == identifier)
    if user is None:
        return accounts.add_player(identifier, number, name)
    if user.disabled_at:
        raise NotAllowed("This user is disabled.")
    accounts.edit_user(user, display_name=accounts.visible(name) or None, number=number)
    return user


def disconnect(sources: list[int]) -> int:
    """Forget these sources and end their players' live calls; how many there were."""
    gone = list(User.select().join(Source).where(Source.src.in_(sources)))
    calls.end_of([user.digits for user in gone if user.digits], calls.DISCONNECTED)
    return int(Source.delete().where(Source.src.in_(sources)).execute())


def sync(epoch: str, players: list[Wanted]) -> Synced:
    """Let exactly these players be connected; a new *epoch* drops everyone first."""
    if not epoch or len(epoch) > LONGEST_IDENTIFIER:
        raise BadInput(f"An epoch has 1 to {LONGEST_IDENTIFIER} characters.")
    dropped = begin(clean(epoch))
    connected = {(each.src, each.identifier): each for each in there()}
    wanted = {(each.src, clean(each.identifier)): each for each in each_once(players)}
    dropped += disconnect([src for src, identifier in connected.keys() - wanted.keys()])
    changed = [each for key, each in wanted.items() if connected.get(key) != each]
    make_way(changed)
    refused = [reason for each in changed if (reason := connect_or_tell(each))]
    return Synced(Source.select().count(), dropped, refused)


def each_once(players: list[Wanted]) -> Iterable[Wanted]:
    """One for each source and each player; the later one counts."""
    by_source = {each.src: each for each in players}
    return {clean(each.identifier): each for each in by_source.values()}.values()


def make_way(players: list[Wanted]) -> None:
    """Free the numbers that pass from one of these players to another."""
    wanted = {digits_of(each.number): clean(each.identifier) for each in players}
    holders = User.select().where(User.digits.in_(list(wanted)), User.identifier.in_(list(wanted.values())))
    for user in holders:
        if wanted[user.digits] != user.identifier:
            accounts.edit_user(user, number="")


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


def connect_or_tell(player: Wanted) -> str:
    """Connect a player, whose refusal must not undo what others were granted; why not, or nothing."""
    try:
        with database.atomic():
            connect(player.src, player.identifier, player.number, player.name)
        return ""
    except Refusal as refusal:
        return f"{player.src}: {refusal}"
