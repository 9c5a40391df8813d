"""Closed schemas, and fields whose errors state a rule and never repeat what was sent."""

from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar, cast

from marshmallow import RAISE, Schema, fields, missing, validate

UNKNOWN = "must not hold unknown fields"

T = TypeVar("T")
Validator = Callable[[Any], Any]


class Closed(Schema):
    """An object that holds the declared fields and no other."""

    error_messages = {"unknown": UNKNOWN, "type": "must be an object"}  # noqa: RUF012

    class Meta:
        """Unknown fields are refused."""

        unknown = RAISE


class Input(Closed, Generic[T]):
    """An object that a client sends, loaded as a ``T``.

    Attributes:
        example: An object that the page ``/docs`` offers to send.
    """

    example: ClassVar[Mapping[str, object]] = MappingProxyType({})

    @cached_property
    def of_nothing(self) -> T:
        """The result of loading an empty object, loaded once; it must be immutable."""
        return cast("T", self.load({}))


def text(
    description: str,
    *,
    required: bool = False,
    allow_none: bool | None = None,
    load_default: object = missing,
    validate: Validator | None = None,
) -> fields.String:
    """Make a string field."""
    return fields.String(
        required=required,
        allow_none=allow_none,
        load_default=load_default,
        validate=validate,
        error_messages=_wording("must be a string"),
        metadata={"description": description},
    )


def word(description: str, words: tuple[str, ...]) -> fields.String:
    """Make a required field for one of ``words``."""
    known = validate.OneOf(words, error="must be one of: {choices}")
    return text(description, required=True, validate=known)


def whole(
    description: str,
    *,
    bits: int = 64,
    required: bool = False,
    allow_none: bool | None = None,
    load_default: object = missing,
    validate: Validator | None = None,
) -> fields.Integer:
    """Make a field for a JSON integer of 32 or 64 bits."""
    return fields.Integer(
        strict=True,
        required=required,
        allow_none=allow_none,
        load_default=load_default,
        validate=validate,
        error_messages=_wording("must be an integer"),
        metadata={"description": description, "format": f"int{bits}"},
    )


def truth(description: str) -> fields.Boolean:
    """Make a required boolean field."""
    return fields.Boolean(required=True, metadata={"description": description})


class Flag(fields.Boolean):
    """``true``, ``false`` or ``null``; marshmallow's ``Boolean`` also accepts 1, yes and more."""

    def __init__(self, description: str) -> None:
        super().__init__(
            allow_none=True,
            error_messages=_wording("must be true or false"),
            metadata={"description": description},
        )

    def _deserialize(self, value: object, *_: object, **__: object) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class TextByName(fields.Dict):
    """A JSON object of strings under names that the client chooses."""

    def __init__(self, description: str, *, required: bool = False) -> None:
        texts = {"error_messages": _wording("must be a string")}
        super().__init__(
            keys=fields.String(),
            values=fields.String(**texts),  # type: ignore[arg-type]
            required=required,
            error_messages=_wording("must be an object of strings"),
            metadata={"description": description},
        )


class ObjectByName(fields.Dict):
    """A JSON object of objects under names that the client chooses; null stands for none."""

    def __init__(self, items: type[Schema], description: str) -> None:
        super().__init__(
            keys=fields.String(),
            values=fields.Nested(items, error_messages=_wording("must be an object")),
            allow_none=True,
            error_messages=_wording("must be an object of objects"),
            metadata={"description": description},
        )


def nested(item: type[Schema], description: str, *, required: bool = False) -> fields.Nested:
    """Make a field for one object; null stands for none where it is not required."""
    return fields.Nested(
        item,
        required=required,
        allow_none=not required,
        error_messages=_wording("must be an object"),
        metadata={"description": description},
    )


class _Array(fields.List[Any]):
    """A JSON array; marshmallow's ``List`` also accepts an object, and reads its names."""

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: object,
    ) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class ListOf(_Array):
    """A required JSON array of objects."""

    def __init__(
        self, items: type[Schema], description: str, *, validate: Validator | None = None
    ) -> None:
        super().__init__(
            fields.Nested(items, error_messages=_wording("must be an object")),
            required=True,
            validate=validate,
            error_messages=_wording("must be a list"),
            metadata={"description": description},
        )


class NullableListOf(_Array):
    """A JSON array of objects that may be absent or null."""

    def __init__(
        self, items: type[Schema], description: str, *, validate: Validator | None = None
    ) -> None:
        super().__init__(
            fields.Nested(items, error_messages=_wording("must be an object")),
            allow_none=True,
            validate=validate,
            error_messages=_wording("must be a list"),
            metadata={"description": description},
        )


class TextList(_Array):
    """A JSON array of at most ``few`` strings that may be absent or null."""

    def __init__(self, description: str, *, few: int) -> None:
        texts = fields.String(error_messages=_wording("must be a string"))
        super().__init__(
            texts,
            allow_none=True,
            validate=validate.Length(max=few, error="must hold at most {max} entries"),
            error_messages=_wording("must be a list of strings"),
            metadata={"description": description},
        )


def _wording(invalid: str) -> dict[str, str | list[Any] | dict[Any, Any]]:
    return {"required": "is required", "null": "must not be null", "invalid": invalid}
