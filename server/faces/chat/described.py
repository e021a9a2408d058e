"""What the OpenAPI document of the chat door says beyond its declared routes."""

from typing import Any

from ...errors import Broken, NotAuthenticated, TooMany, Unavailable
from ...wire.openapi import refused

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
