"""Everything that must not be seen, and whether it can be seen in what was kept or shown."""

import logging
import traceback
from collections.abc import Iterable
from pathlib import Path

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.provider import WrappedKey
from tests.e2e.canaries import forms, forms_of_bytes
from tests.unit.app.services.providers import Scripted

_TESTS = str(Path(__file__).parents[3])


class Watch:
    """The forms of every secret that a test has made: canaries, tokens, data keys."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {
            form: f"a value as {name}" for name, form in forms().items()
        }

    def keep_secret(self, name: str, secret: str | bytes | bytearray) -> None:
        found = forms(secret) if isinstance(secret, str) else forms_of_bytes(bytes(secret))
        self._names |= {each: f"{name} as {form}" for form, each in found.items()}

    def found_in(self, data: bytes | str) -> list[str]:
        """The secrets that ``data`` shows, and their form."""
        seen = data.encode(errors="surrogatepass") if isinstance(data, str) else data
        return [name for form, name in self._names.items() if form in seen]


class Watched(Scripted):
    """A key file whose data keys are all kept secret.

    Attributes:
        data_keys: Every one that it has wrapped or unwrapped, by its id.
    """

    def __init__(self, uri: str, watch: Watch) -> None:
        super().__init__(uri)
        self._watch = watch
        self.data_keys: dict[str, DataKey] = {}

    def wrap(self, key: DataKey, context: KeyContext) -> WrappedKey:
        self._keep(key, context)
        return super().wrap(key, context)

    def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> DataKey:
        key = super().unwrap(wrapped, context)
        self._keep(key, context)
        return key

    def _keep(self, key: DataKey, context: KeyContext) -> None:
        self._watch.keep_secret("a data key", key)
        self.data_keys[context.data_key_id] = DataKey(key)


def shown_of(error: BaseException) -> str:
    """All that a log could make of an error and of those that hang on it.

    Their texts and arguments, and the locals of every frame that is not a test's.
    """
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in report.stack if not frame.filename.startswith(_TESTS)]
    local = [each for frame in frames for each in (frame.locals or {}).values()]
    hanging = [each for each in (error.__cause__, error.__context__) if each is not None]
    return "\n".join([str(error), repr(error), *local, *map(shown_of, hanging)])


def logged(records: Iterable[logging.LogRecord]) -> str:
    """Everything that a formatter could print of the records."""
    return "\n".join(f"{record.getMessage()} {record.__dict__}" for record in records)
