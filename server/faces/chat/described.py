"""What the OpenAPI document of the chat door says beyond its declared routes."""

from typing import Any

from ...errors import (
    BadInput,
    Broken,
    Conflict,
    KeyReused,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Refusal,
    TooMany,
    TooSlow,
    Unavailable,
    WrongPassword,
    WrongType,
    WrongVerb,
)
from ...wire.coding import TooLarge
from ...wire.openapi import codes_of, refused

TITLE = "Switchboard: chat"
SECURITY: dict[str, dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An access token."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An access token."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "Name and password; an access token does as the password.",
    },
}
# What can be refused here, and where the kind of refusal alone does not say what it is, the words that do.
REFUSALS: dict[type[Refusal], dict[str, str]] = {
    BadInput: {
        "BAD_JSON": "The body is no JSON object, or a far too deep one.",
        "BAD_KEY": "The Idempotency-Key is too long.",
        "EMPTY_MESSAGE": "The message says nothing.",
        "NO_WORDS": "Nothing was given that can be searched for.",
        "RESULT_LIMIT": "More was asked for than one answer holds.",
        "SELF_CHAT": "Nobody chats with himself.",
        "TOO_MANY_WORDS": "Too much was given to be searched for at once.",
    },
    NotAuthenticated: {},
    WrongPassword: {},
    NotAllowed: {
        "CANNOT_MESSAGE": "The user does not take messages.",
        "CONVERSATION_CLOSED": "In this chat nothing more can be said by whoever asks.",
        "NOT_RECIPIENT": "Only who was asked for the chat can accept or decline it.",
        "NOT_SENDER": "Only who has asked for the chat can take that back.",
        "REQUEST_PENDING": "The chat has not been accepted yet.",
    },
    NotFound: {"USER_NOT_FOUND": "There is no such user."},
    WrongVerb: {},
    TooSlow: {},
    Conflict: {
        "ALREADY_ACTIVE": "The chat has been accepted already.",
        "NOT_PENDING": "The chat is no longer a request that waits.",
    },
    TooLarge: {},
    WrongType: {},
    KeyReused: {},
    TooMany: {},
    Broken: {},
    Unavailable: {},
}
CODES = [code for kind, words in REFUSALS.items() for code in codes_of(kind, words)]
EVENTS: dict[str, Any] = {
    "operationId": "getEvents",
    "summary": "Follow what happens, as it happens",
    "description": (
        "Follow what happens, as it happens, in server-sent events: message, request, accepted, declined, "
        "read, totals, call, each with an id and JSON. The answer has no end."
    ),
    "parameters": [
        {
            "name": "Last-Event-ID",
            "in": "header",
            "required": False,
            "description": "the last event that was seen; what came after it is sent first",
            "schema": {"type": "string"},
        },
        {
            "name": "lastEventId",
            "in": "query",
            "required": False,
            "description": "the same, for clients that cannot send the header",
            "schema": {"type": "string"},
        },
        {
            "name": "access_token",
            "in": "query",
            "required": False,
            "description": "an access token, for browsers, whose EventSource sends no header",
            "schema": {"type": "string"},
        },
    ],
    "responses": {
        "200": {
            "description": "The stream of events",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **refused([NotAuthenticated, TooMany, Broken, Unavailable]),
    },
}
# Calls that are no declared routes: path items of OpenAPI, by path.
OTHERS: dict[str, dict[str, Any]] = {"/chat/events": {"get": EVENTS}}
