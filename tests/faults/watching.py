"""The traces of a trial that somebody could read: log records and errors."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app import bootstrap
from backends.data_key import DataKey
from backends.errors import KeyProviderError
from backends.keyring import registry
from backends.keyring.bounded_provider import BoundedWrapper
from tests.unit.app.services.leaks import Watch, logged, shown_of

_OURS = ("", "strongroom")


class Heard(logging.Handler):
    """Keeps every record at DEBUG of our loggers and of the libraries named."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def text(self) -> str:
        """All that a formatter could print."""
        return logged(self.records)


@contextmanager
def hearing(libraries: tuple[str, ...]) -> Iterator[Heard]:
    """Hear everything within the block."""
    heard = Heard()
    loggers = [logging.getLogger(name) for name in (*_OURS, *libraries)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    logging.getLogger().addHandler(heard)
    try:
        yield heard
    finally:
        logging.getLogger().removeHandler(heard)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class Providers:
    """Every call of a provider, and every attempt to build one, of this process.

    Attributes:
        watch: Knows every data key that a provider gave.
        errors: What was raised, or answered for one of many, also where it was caught.
    """

    def __init__(self) -> None:
        self.watch = Watch()
        self.errors: list[BaseException] = []

    def begin(self) -> None:
        """Forget what was noted so far."""
        self.watch, self.errors = Watch(), []

    def tracebacks(self) -> str:
        """All that a traceback of any of the errors shows."""
        return "\n".join(map(shown_of, self.errors))

    def noting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with notes of what it gave or raised."""

        def call(*args: Any, **options: Any) -> Any:
            try:
                answer = function(*args, **options)
            except BaseException as error:
                self.errors.append(error)
                raise
            for each in answer if isinstance(answer, tuple | list) else [answer]:
                self._note(each)
            return answer

        return call

    def _note(self, answer: object) -> None:
        if isinstance(answer, DataKey):
            self.watch.keep_secret("a data key", answer)
        elif isinstance(answer, KeyProviderError):
            self.errors.append(answer)


@contextmanager
def watching() -> Iterator[Providers]:
    """Watch within the block."""
    providers = Providers()
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            (BoundedWrapper, "_call"),
            (registry, "create_provider"),
            (bootstrap, "create_keyring"),
        ):
            patch.setattr(owner, name, providers.noting(getattr(owner, name)))
        yield providers
