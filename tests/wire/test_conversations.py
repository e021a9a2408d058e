"""The rules of the forum door's conversations, each through the live server."""

from typing import Any

import pytest
from conftest import Live, Member

from models import User, database
from server.actions import accounts

NOT_FOUND = {"result": False, "result_text": b"The requested conversation could not be found."}


def begin(starter: Member, *others: Member, subject: bytes = b"Subject", body: bytes = b"first") -> str:
    answer = starter.rpc.new_conversation([other.name for other in others], subject, body)
    assert answer["result"], answer
    return str(answer["conv_id"])


def texts(member: Member, conversation: str, *page: int) -> list[bytes]:
    return [each["msg_content"] for each in member.rpc.get_conversation(conversation, *page)["list"]]


def ids(member: Member, *page: int) -> list[str]:
    return [each["conv_id"] for each in member.rpc.get_conversations(*page)["list"]]


def unread(member: Member) -> int:
    return int(member.rpc.get_inbox_stat()["inbox_unread_count"])


class TestBeginning:
    """new_conversation"""

    def test_every_unknown_name_is_told_and_nothing_is_made(self, ann: Member, bob: Member) -> None:
        """One unknown name spoils it all, and the text names each of them."""
        answer = ann.rpc.new_conversation([bob.name, "nobody-1", "nobody-2"], b"Hi", b"there")
        assert answer["result"] is False
        assert answer["result_text"].endswith(b": nobody-1, nobody-2")
        assert (ids(ann), ids(bob)) == ([], [])

    def test_a_name_is_found_in_any_case(self, ann: Member, bob: Member) -> None:
        """The recipient's name may be written in any case."""
        assert ann.rpc.new_conversation([bob.name.upper()], b"Hi", b"there")["result"] is True

    def test_one_name_may_stand_alone(self, ann: Member, bob: Member) -> None:
        """A single string counts as an array of one."""
        assert ann.rpc.new_conversation(bob.name, b"Hi", b"there")["result"] is True

    def test_ones_own_name_is_dropped(self, ann: Member, bob: Member) -> None:
        """The author is in it anyway, and a name that is given twice counts once."""
        answer = ann.rpc.new_conversation([ann.name, bob.name, bob.name], b"Hi", b"there")
        assert ann.rpc.get_conversation(answer["conv_id"])["participant_count"] == 2

    @pytest.mark.parametrize("names", [[], [""], ["SELF"]])
    def test_somebody_else_is_needed(self, ann: Member, names: list[str]) -> None:
        """With nobody left besides the author there is no conversation."""
        answer = ann.rpc.new_conversation([ann.name if n == "SELF" else n for n in names], b"Hi", b"there")
        assert answer["result"] is False

    @pytest.mark.parametrize(
        ("subject", "body"),
        [
            (b"", b"x"),
            (b" \n", b"x"),
            (b"x", b""),
            (b"x", b" \n\t"),
            (b"[b][/b]", b"x"),
            (b"x", "[i]\u200b[/i]".encode()),
            (b"s" * 101, b"x"),
            (b"x", b"b" * 10_001),
        ],
    )
    def test_subject_and_body_hold_something_of_limited_length(
        self, ann: Member, bob: Member, subject: bytes, body: bytes
    ) -> None:
        """An empty subject or body, or one over 100 or 10,000 characters, is refused and nothing is made."""
        assert ann.rpc.new_conversation([bob.name], subject, body)["result"] is False
        assert ids(bob) == []

    def test_lengths_are_counted_in_characters(self, ann: Member, bob: Member) -> None:
        """A hundred characters fit, however many bytes they take."""
        begin(ann, bob, subject="é".encode() * 100, body="😀".encode() * 10_000)

    def test_at_most_a_hundred_recipients(self, ann: Member) -> None:
        """More than a hundred names in one call are refused."""
        answer = ann.rpc.new_conversation([f"name{n}" for n in range(101)], b"Hi", b"there")
        assert b"At most 100" in answer["result_text"]

    def test_who_ignores_the_author_never_sees_it(self, ann: Member, bob: Member, carol: Member) -> None:
        """For the author all went well; the recipient who ignores him is told nothing, now or later."""
        bob.rpc.ignore_user(ann.id, 1)
        conversation = begin(ann, bob, carol)
        carol.rpc.reply_conversation(conversation, b"hello")
        assert ann.rpc.get_conversation(conversation)["participant_count"] == 3
        assert (ids(bob), unread(bob), bob.rpc.get_conversation(conversation)) == ([], 0, NOT_FOUND)
        assert bob.rpc.delete_conversation(conversation, 2) == NOT_FOUND

    @pytest.mark.parametrize("how", ["disabled", "closed"])
    def test_who_takes_no_messages_is_named(self, live: Live, ann: Member, bob: Member, how: str) -> None:
        """A recipient who is disabled or takes no messages is an error that names him."""
        with live.store(), database.atomic():
            user = User.get_by_id(int(bob.id))
            if how == "disabled":
                accounts.disable(user)
            else:
                accounts.edit_user(user, takes_messages=False)
        answer = ann.rpc.new_conversation([bob.name], b"Hi", b"there")
        assert answer["result_text"].endswith(f"do not take messages: {bob.name}".encode())

    def test_ones_own_message_is_read(self, ann: Member, bob: Member) -> None:
        """The author has read what he begins with; the recipient has not."""
        begin(ann, bob)
        assert (unread(ann), unread(bob)) == (0, 1)

    def test_text_that_xml_cannot_carry_is_cleaned(self, ann: Member, bob: Member) -> None:
        """Characters that would break somebody's answer are replaced on their way in."""
        conversation = begin(ann, bob, subject=b"a\x00b", body="x\x0b\ufffey".encode())
        assert texts(bob, conversation) == ["x\ufffd\ufffdy".encode()]
        assert bob.rpc.get_conversations()["list"][0]["conv_subject"] == "a\ufffdb".encode()


class TestReplying:
    """reply_conversation"""

    def test_hidden_is_not_found_until_it_comes_back(self, ann: Member, bob: Member) -> None:
        """Who has hidden a conversation cannot reply until somebody else has said something."""
        conversation = begin(ann, bob)
        bob.rpc.delete_conversation(conversation, 1)
        assert bob.rpc.reply_conversation(conversation, b"hi") == NOT_FOUND
        ann.rpc.reply_conversation(conversation, b"still there?")
        assert bob.rpc.reply_conversation(conversation, b"hi")["result"] is True

    def test_left_stays_left(self, ann: Member, bob: Member) -> None:
        """A message never brings a conversation back for somebody who has left it."""
        conversation = begin(ann, bob)
        bob.rpc.delete_conversation(conversation, 2)
        ann.rpc.reply_conversation(conversation, b"come back")
        assert (ids(bob), unread(bob)) == ([], 0)
        assert bob.rpc.reply_conversation(conversation, b"no") == NOT_FOUND

    def test_closed_is_for_the_starter(self, ann: Member, bob: Member) -> None:
        """In a closed conversation only its starter may say something, until it is opened."""
        conversation = begin(ann, bob)
        ann.rpc.close_conversation(conversation)
        refused = bob.rpc.reply_conversation(conversation, b"but")
        assert refused["result_text"] == b"You do not have permission to reply to this conversation."
        assert ann.rpc.reply_conversation(conversation, b"last word")["result"] is True
        ann.rpc.open_conversation(conversation)
        assert bob.rpc.reply_conversation(conversation, b"thanks")["result"] is True

    def test_the_subject_is_not_used(self, ann: Member, bob: Member) -> None:
        """A reply's subject changes nothing."""
        conversation = begin(ann, bob, subject=b"Old")
        bob.rpc.reply_conversation(conversation, b"hi", b"Re: New")
        assert bob.rpc.get_conversations()["list"][0]["conv_subject"] == b"Old"

    def test_replying_reads(self, ann: Member, bob: Member) -> None:
        """Sending moves the author's read mark to his own message."""
        conversation = begin(ann, bob)
        bob.rpc.reply_conversation(conversation, b"hi")
        assert (unread(bob), unread(ann)) == (0, 1)


class TestInviting:
    """invite_participant"""

    def test_only_the_starter_invites(self, ann: Member, bob: Member, carol: Member) -> None:
        """Others may not, until the starter lets everyone."""
        conversation = begin(ann, bob)
        refused = bob.rpc.invite_participant([carol.name], conversation)
        assert refused["result_text"].startswith(b"You do not have permission to invite")
        ann.rpc.edit_conversation(conversation, b"Open", True)
        assert bob.rpc.get_conversation(conversation)["can_invite"] is True
        assert bob.rpc.invite_participant([carol.name], conversation)["result"] is True

    def test_closed_is_closed_to_newcomers(self, ann: Member, bob: Member, carol: Member) -> None:
        """In a closed conversation only the starter invites, open to invitations or not."""
        conversation = begin(ann, bob)
        ann.rpc.edit_conversation(conversation, b"Open", True)
        ann.rpc.close_conversation(conversation)
        assert bob.rpc.invite_participant([carol.name], conversation)["result"] is False
        assert ann.rpc.invite_participant([carol.name], conversation)["result"] is True

    def test_newcomers_see_all_of_it_as_unread(self, ann: Member, bob: Member, carol: Member) -> None:
        """Who is invited sees the whole history, and nothing of it is read."""
        conversation = begin(ann, bob)
        bob.rpc.reply_conversation(conversation, b"second")
        ann.rpc.invite_participant([carol.name], conversation)
        assert carol.rpc.get_conversations()["list"][0]["unread_num"] == 2
        assert texts(carol, conversation) == [b"first", b"second"]

    def test_the_reason_is_for_the_invited(self, ann: Member, bob: Member, carol: Member) -> None:
        """The reason is shown to who was invited, as no message and to nobody else."""
        conversation = begin(ann, bob)
        ann.rpc.invite_participant([carol.name], conversation, b"She knows the way")
        shown = carol.rpc.get_conversation(conversation)
        assert (shown["invite_reason_text"], shown["total_message_num"]) == (b"She knows the way", 1)
        assert carol.rpc.get_conversations()["list"][0]["invite_reason_text"] == b"She knows the way"
        assert "invite_reason_text" not in bob.rpc.get_conversation(conversation)

    def test_the_reason_is_plain_and_of_limited_length(self, ann: Member, bob: Member, carol: Member) -> None:
        """A reason is shown without BBCode, and one over 10,000 characters invites nobody."""
        conversation = begin(ann, bob)
        too_long = ann.rpc.invite_participant([carol.name], conversation, b"x" * 10_001)
        assert (too_long["result"], ids(carol)) == (False, [])
        ann.rpc.invite_participant([carol.name], conversation, b"[quote][url=javascript:x]go[/url]")
        assert carol.rpc.get_conversation(conversation)["invite_reason_text"] == "[\u200bquote]go".encode()

    def test_who_is_brought_back_is_told_why(self, ann: Member, bob: Member) -> None:
        """The reason of a second invitation is shown to somebody who had hidden the conversation."""
        conversation = begin(ann, bob)
        bob.rpc.delete_conversation(conversation, 1)
        ann.rpc.invite_participant([bob.name], conversation, b"Please look")
        assert bob.rpc.get_conversation(conversation)["invite_reason_text"] == b"Please look"

    def test_one_unknown_name_and_nobody_is_added(self, ann: Member, bob: Member, carol: Member) -> None:
        """Where a name is unknown nobody is invited."""
        conversation = begin(ann, bob)
        answer = ann.rpc.invite_participant([carol.name, "nobody-here"], conversation)
        assert answer["result_text"].endswith(b"nobody-here")
        assert ids(carol) == []

    def test_who_is_there_stays_as_he_is(self, ann: Member, bob: Member) -> None:
        """To invite somebody who is active changes nothing, his read mark least of all."""
        conversation = begin(ann, bob)
        bob.rpc.mark_conversation_read(conversation)
        assert ann.rpc.invite_participant([bob.name], conversation, b"again")["result"] is True
        assert unread(bob) == 0

    def test_hidden_is_brought_back_and_left_is_not(self, ann: Member, bob: Member, carol: Member) -> None:
        """Who has hidden it sees it again; who has left is an error that names him, and nobody is added."""
        conversation = begin(ann, bob, carol)
        bob.rpc.delete_conversation(conversation, 1)
        carol.rpc.delete_conversation(conversation, 2)
        refused = ann.rpc.invite_participant([bob.name, carol.name], conversation)
        assert refused["result_text"].endswith(carol.name.encode())
        assert ids(bob) == []
        ann.rpc.invite_participant([bob.name], conversation)
        assert ids(bob) == [conversation]

    def test_who_ignores_the_inviter_never_sees_it(self, ann: Member, bob: Member, carol: Member) -> None:
        """An invitation by somebody who is ignored does not arrive."""
        conversation = begin(ann, bob)
        carol.rpc.ignore_user(ann.id, 1)
        assert ann.rpc.invite_participant([carol.name], conversation)["result"] is True
        assert ids(carol) == []

    def test_who_ignores_one_can_be_invited_by_another(self, ann: Member, bob: Member, carol: Member) -> None:
        """An invitation that did not arrive does not keep another person's from arriving."""
        conversation = begin(ann, bob)
        ann.rpc.edit_conversation(conversation, b"Open", True)
        carol.rpc.ignore_user(ann.id, 1)
        ann.rpc.invite_participant([carol.name], conversation)
        bob.rpc.reply_conversation(conversation, b"more")
        bob.rpc.invite_participant([carol.name], conversation)
        assert texts(carol, conversation) == [b"first", b"more"]


class TestListing:
    """get_conversations"""

    def test_the_newest_message_comes_first(self, ann: Member, bob: Member) -> None:
        """The list is in the order of the last messages, the newest first."""
        first, second = begin(ann, bob), begin(ann, bob)
        assert ids(bob) == [second, first]
        ann.rpc.reply_conversation(first, b"up")
        assert ids(bob) == [first, second]

    def test_pages_are_literal(self, ann: Member, bob: Member) -> None:
        """First and last place count from 0 and are both part of the page; counts are of the whole box."""
        made = [begin(ann, bob) for _ in range(4)][::-1]
        assert ids(bob, 0, 1) == made[:2]
        assert ids(bob, 0, 0) == made[:1]
        assert ids(bob, 1, 1) == made[1:2]
        assert ids(bob, 2) == made[2:]
        assert ids(bob, 2, 1) == ids(bob, 9, 12) == []
        page = bob.rpc.get_conversations(0, 0)
        assert (page["conversation_count"], page["unread_count"]) == (4, 4)

    def test_twenty_unless_asked_and_never_more_than_fifty(self, live: Live, ann: Member) -> None:
        """Without a last place there are twenty; of more than fifty the first fifty."""
        others = [live.member() for _ in range(2)]
        for _ in range(52):
            begin(ann, *others)
        assert [len(ids(ann)), len(ids(ann, 0, 200)), len(ids(ann, 40))] == [20, 50, 12]

    def test_negative_places_are_a_fault(self, ann: Member) -> None:
        """A negative place is no place."""
        with pytest.raises(Exception, match="start_num"):
            ann.rpc.get_conversations(-1, 5)

    def test_subject_and_preview_have_no_bbcode(self, ann: Member, bob: Member) -> None:
        """The subject and the short text are plain; the preview has no quotes and at most 200 characters."""
        body = b"[quote]old[/quote][b]new[/b] " + b"x" * 300
        begin(ann, bob, subject=b"[b]Big[/b] news", body=body)
        [item] = bob.rpc.get_conversations()["list"]
        assert item["conv_subject"] == item["conv_title"] == b"Big news"
        assert item["short_content"].startswith(b"new xxx")
        assert len(item["short_content"].decode()) == 200


class TestReading:
    """get_conversation"""

    def test_reading_a_page_reads_up_to_its_end(self, ann: Member, bob: Member) -> None:
        """The read mark moves to the newest message returned, never back, and the flags are from before."""
        conversation = begin(ann, bob)
        for body in (b"second", b"third"):
            ann.rpc.reply_conversation(conversation, body)
        flags = [each["is_unread"] for each in bob.rpc.get_conversation(conversation, 0, 1)["list"]]
        assert flags == [True, True]
        assert bob.rpc.get_conversations()["list"][0]["unread_num"] == 1
        assert texts(bob, conversation, 2, 2) == [b"third"]
        bob.rpc.get_conversation(conversation, 0, 0)
        assert unread(bob) == 0

    def test_who_has_left_is_still_listed(self, ann: Member, bob: Member, carol: Member) -> None:
        """Who has left stays among the participants, and his messages say so; hiding is not leaving."""
        conversation = begin(ann, bob, carol)
        bob.rpc.reply_conversation(conversation, b"bye")
        bob.rpc.delete_conversation(conversation, 2)
        carol.rpc.delete_conversation(conversation, 1)
        shown = ann.rpc.get_conversation(conversation)
        left = {key: person["has_left"] for key, person in shown["participants"].items()}
        assert left == {ann.id: False, bob.id: True, carol.id: False}
        assert [each["has_left"] for each in shown["list"]] == [False, True]

    def test_both_forms_of_the_text(self, ann: Member, bob: Member) -> None:
        """Without return_html BBCode is cut down; with it there is HTML, and links stay BBCode."""
        conversation = begin(ann, bob, body=b"[b]bold[/b] <x>\n[url=javascript:x]bad[/url]")
        assert texts(bob, conversation, 0, 9) == [b"bold <x>\nbad"]
        shown = bob.rpc.get_conversation(conversation, 0, 9, True)["list"][0]["msg_content"]
        assert shown == b"<b>bold</b> &lt;x&gt;<br />bad"

    @pytest.mark.parametrize("which", ["foreign", "missing"])
    def test_foreign_is_answered_like_missing(
        self, ann: Member, bob: Member, carol: Member, which: str
    ) -> None:
        """Another's conversation and one that does not exist get the same answer from every method."""
        conversation = begin(ann, bob) if which == "foreign" else "987654321"
        calls: list[Any] = [
            carol.rpc.get_conversation(conversation),
            carol.rpc.reply_conversation(conversation, b"x"),
            carol.rpc.invite_participant([bob.name], conversation),
            carol.rpc.get_quote_conversation(conversation, "1"),
            carol.rpc.delete_conversation(conversation, 1),
            carol.rpc.delete_conversation(conversation, 2),
            carol.rpc.mark_conversation_read(conversation),
            carol.rpc.mark_conversation_unread(conversation),
            carol.rpc.edit_conversation(conversation, b"x"),
            carol.rpc.close_conversation(conversation),
            carol.rpc.open_conversation(conversation),
        ]
        assert calls == [NOT_FOUND] * len(calls)


class TestQuoting:
    """get_quote_conversation"""

    def test_a_quote_can_be_sent_back(self, ann: Member, bob: Member) -> None:
        """The quote names author and message, has no quotes inside, and is a good reply as it is."""
        conversation = begin(ann, bob, body=b"[quote]older[/quote]Meet at [b]nine[/b]?")
        [message] = bob.rpc.get_conversation(conversation)["list"]
        quote = bob.rpc.get_quote_conversation(conversation, message["msg_id"])["text_body"]
        head = f'[quote="{ann.name}, convMessage: {message["msg_id"]}, member: {ann.id}"]'
        assert quote == f"{head}Meet at [b]nine[/b]?[/quote]\n".encode()
        bob.rpc.reply_conversation(conversation, quote + b"Yes.")
        assert texts(ann, conversation)[-1] == f"{head}Meet at nine?[/quote]\nYes.".encode()

    def test_the_message_belongs_to_the_conversation(self, ann: Member, bob: Member) -> None:
        """A message of another conversation cannot be quoted, though the user sees both."""
        one, two = begin(ann, bob), begin(ann, bob)
        message = bob.rpc.get_conversation(one)["list"][0]["msg_id"]
        assert bob.rpc.get_quote_conversation(two, message)["result"] is False


class TestLeaving:
    """delete_conversation"""

    @pytest.mark.parametrize("mode", [0, 3, -1])
    def test_other_modes_are_refused(self, ann: Member, bob: Member, mode: int) -> None:
        """There are two modes; another one changes nothing."""
        conversation = begin(ann, bob)
        assert bob.rpc.delete_conversation(conversation, mode)["result"] is False
        assert ids(bob) == [conversation]

    def test_hidden_can_be_left(self, ann: Member, bob: Member) -> None:
        """Who has hidden a conversation can leave it, but not hide it again."""
        conversation = begin(ann, bob)
        assert bob.rpc.delete_conversation(conversation, 1)["result"] is True
        assert bob.rpc.delete_conversation(conversation, 1) == NOT_FOUND
        assert bob.rpc.delete_conversation(conversation, 2)["result"] is True
        assert bob.rpc.delete_conversation(conversation, 2) == NOT_FOUND


class TestMarking:
    """mark_conversation_unread and mark_conversation_read"""

    def test_unread_are_those_of_others(self, ann: Member, bob: Member) -> None:
        """Marked unread, a conversation has all messages of others unread and none of one's own."""
        conversation = begin(ann, bob)
        for who in (bob, ann, bob):
            who.rpc.reply_conversation(conversation, b"more")
        for _ in range(2):
            assert bob.rpc.mark_conversation_unread(conversation)["result"] is True
            assert bob.rpc.get_conversations()["list"][0]["unread_num"] == 2

    def test_one_bad_id_and_nothing_is_marked(self, ann: Member, bob: Member) -> None:
        """All of the ids have to be the user's, or none is marked."""
        conversation = begin(ann, bob)
        assert bob.rpc.mark_conversation_read(f"{conversation},987654321") == NOT_FOUND
        assert unread(bob) == 1

    def test_several_at_once(self, ann: Member, bob: Member) -> None:
        """Ids may be separated by commas, or stand in an array."""
        one, two = begin(ann, bob), begin(ann, bob)
        bob.rpc.mark_conversation_read(f"{one},{two}")
        assert unread(bob) == 0
        bob.rpc.mark_conversation_unread([one, two])
        assert unread(bob) == 2

    @pytest.mark.parametrize("argument", [[], [""], [[]]])
    def test_no_id_means_all(self, ann: Member, bob: Member, argument: list[Any]) -> None:
        """Without an id, or with an empty one, every conversation is read."""
        begin(ann, bob)
        begin(ann, bob)
        assert bob.rpc.mark_conversation_read(*argument)["result"] is True
        assert unread(bob) == 0

    def test_at_most_five_hundred_ids(self, bob: Member) -> None:
        """More than 500 ids in one call are refused in words."""
        many = ",".join(str(number) for number in range(1, 502))
        assert b"At most 500" in bob.rpc.mark_conversation_read(many)["result_text"]


class TestEditing:
    """edit_conversation, close_conversation, open_conversation"""

    def test_editing_is_for_the_starter(self, ann: Member, bob: Member) -> None:
        """The starter changes the subject; nobody else edits, closes or opens."""
        conversation = begin(ann, bob)
        assert ann.rpc.edit_conversation(conversation, b"New")["result"] is True
        assert bob.rpc.get_conversation(conversation)["conv_title"] == b"New"
        refused = [
            bob.rpc.edit_conversation(conversation, b"Mine"),
            bob.rpc.close_conversation(conversation),
            bob.rpc.open_conversation(conversation),
        ]
        assert [answer["result"] for answer in refused] == [False] * 3

    def test_flags_say_who_may_what(self, ann: Member, bob: Member) -> None:
        """can_edit, can_close, can_invite, can_upload and is_closed are as the rules have it."""
        conversation = begin(ann, bob)
        ann.rpc.close_conversation(conversation)
        names = ("can_edit", "can_close", "can_invite", "can_upload", "is_closed")
        for member, flags in ((ann, [True] * 5), (bob, [False] * 4 + [True])):
            opened = member.rpc.get_conversation(conversation)
            [listed] = member.rpc.get_conversations()["list"]
            assert [opened[name] for name in names] == [listed[name] for name in names] == flags
