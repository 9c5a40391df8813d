"""Strict JSON: UTF-8, one object, no name twice, no NaN, bounded depth, valid Unicode strings."""

import json
from collections.abc import Iterable
from typing import Any, NoReturn

import orjson

from app.api.http.malformed import InvalidJson

MAX_DEPTH = 16


def parse(body: bytes) -> tuple[dict[str, Any], bytes]:
    """Parse one object.

    Returns:
        The object, and its canonical encoding, which ignores the order and layout of ``body``.

    Raises:
        InvalidJson: ``body`` breaks a rule; the error holds nothing of it.
    """
    parsed = _parse(_decode(body))
    if not isinstance(parsed, dict):
        raise InvalidJson("must be one object")
    try:
        return parsed, orjson.dumps(parsed, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise InvalidJson("must hold no unpaired surrogate and no number beyond 64 bits") from None


def _decode(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise InvalidJson("must be UTF-8") from None
    if _is_deep(text):
        raise InvalidJson(f"must not be nested deeper than {MAX_DEPTH}")
    return text


def _parse(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except ValueError:
        raise InvalidJson("must follow RFC 8259") from None


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    unique: dict[str, Any] = {}
    for name, value in pairs:
        if name in unique:
            raise InvalidJson("must not hold a name twice")
        unique[name] = value
    return unique


def _refuse_constant(_constant: str) -> NoReturn:
    raise InvalidJson("must not hold NaN or Infinity")


def _is_deep(text: str) -> bool:
    """Report brackets that nest too deep, in linear time and before anything recurses."""
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return False
    depth = 0
    for outside in text.replace("\\\\", "").replace('\\"', "").split('"')[::2]:
        for character in outside:
            if character in "{[":
                depth += 1
                if depth > MAX_DEPTH:
                    return True
            elif character in "}]":
                depth -= 1
    return False
