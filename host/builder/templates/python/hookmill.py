"""What an answer is made of: the contract's own classes have no defaults."""

import json

from wit_world.imports.types import (
    Body,
    Body_Bytes,
    Body_Json,
    Body_Text,
    Method,
    Outcome,
    Outcome_Deliver,
    Outcome_Reject,
    Outcome_Skip,
    Request,
)

__all__ = ["Method", "bytes_body", "deliver", "json_body", "raw_json_body", "reject", "request", "skip", "text_body"]


def deliver(*requests: Request) -> Outcome:
    """Sends these requests."""
    return Outcome_Deliver(list(requests))


def skip(reason: str) -> Outcome:
    """Nothing is to be sent, and that is right: why."""
    return Outcome_Skip(reason)


def reject(reason: str) -> Outcome:
    """This event can not be handled: why. Its run is parked, and can be resumed."""
    return Outcome_Reject(reason)


def request(body: Body, target=None, method=None, path=None, query=None, headers=None, content_type=None) -> Request:
    """A request: `query` and `headers` are lists of pairs, `method` is one of `Method`."""
    return Request(body, target, method, path, query, headers, content_type)


def json_body(value) -> Body:
    """A body of JSON."""
    return Body_Json(json.dumps(value, ensure_ascii=False))


def raw_json_body(text: str) -> Body:
    """A body of JSON that is text already, sent as it is."""
    return Body_Json(text)


def text_body(text: str) -> Body:
    """A body of text."""
    return Body_Text(text)


def bytes_body(data: bytes) -> Body:
    """A body of bytes."""
    return Body_Bytes(data)
