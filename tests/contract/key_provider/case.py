"""The case of a scheme, for the suite: builds it, opens it, rotates it and breaks it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import ClassVar

import pytest

from backends.context import KeyContext
from backends.data_key import DataKey
from backends.errors import KeyProviderError, UnknownKey
from backends.keyring.registry import create_provider
from backends.provider import KeyProvider, KeyWrapper, WrappedKey
from backends.provider_uri import ProviderSpec

Opener = Callable[[WrappedKey, KeyContext], DataKey]


class WrapperCase(ABC):
    """One scheme that wraps; what it wrapped is opened elsewhere (escrow).

    A case lives for one test and starts with a root key of its own, made by what ``request``
    gives: fixtures by ``getfixturevalue``, cleaning up by ``addfinalizer``.

    Attributes:
        misconfigurations: Names for ``misconfigured``.
        faults: Every way in which the backend fails while serving: its name and the error of ours
            that each call must raise meanwhile. Empty for what cannot fail once it is built.
    """

    misconfigurations: ClassVar[tuple[str, ...]] = ()
    faults: ClassVar[Mapping[str, type[KeyProviderError]]] = {}

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.request = request

    @abstractmethod
    def spec(self) -> ProviderSpec:
        """The keyring entry of this case's root key."""

    @abstractmethod
    def unrelated_spec(self) -> ProviderSpec:
        """The keyring entry of another root key of the same scheme."""

    @abstractmethod
    def opener(self) -> Opener:
        """A new instance of the provider that opens the wrappings of ``spec``."""

    def misconfigured(self, name: str) -> ProviderSpec:
        """A keyring entry that must be refused at start."""
        raise NotImplementedError(name)

    def fault(self, name: str) -> AbstractContextManager[None]:
        """Break the backend, for members that were built before and after, while it lasts."""
        raise NotImplementedError(name)

    def flips(self, blob: bytes) -> Iterable[int]:
        """The bits of ``blob`` to flip one by one: all, unless a call takes milliseconds."""
        return range(len(blob) * 8)

    def wrapper(self) -> KeyWrapper:
        """A new member of a keyring on ``spec``, as a process that starts now builds it."""
        return self._build(self.spec())

    def unrelated_wrapper(self) -> KeyWrapper:
        """A new member of a keyring on ``unrelated_spec``."""
        return self._build(self.unrelated_spec())

    def _build(self, spec: ProviderSpec) -> KeyWrapper:
        member = create_provider(spec)
        self.request.addfinalizer(member.close)
        return member


class ProviderCase(WrapperCase):
    """One scheme that also unwraps, so that the suite needs no other opener.

    Attributes:
        forgotten: What unwrapping raises after ``forget_rotated``: the backend no longer knows the
            version, or it knows that the version was taken out of use.
        rotates_in_place: Whether ``rotate`` makes a version of the same root key.
    """

    forgotten: ClassVar[type[KeyProviderError]] = UnknownKey
    rotates_in_place: ClassVar[bool] = True

    def provider(self) -> KeyProvider:
        """A new provider on ``spec``, as a process that starts now builds it."""
        return _provider(self.wrapper())

    def unrelated_provider(self) -> KeyProvider:
        """A new provider on ``unrelated_spec``."""
        return _provider(self.unrelated_wrapper())

    def opener(self) -> Opener:
        """The provider itself."""
        return self.provider().unwrap

    @abstractmethod
    def rotate(self) -> None:
        """Give the root key a new version, or put a new root key before it.

        A provider built afterwards wraps under the new one and still opens the old wrappings.
        """

    @abstractmethod
    def forget_rotated(self) -> None:
        """Make the root key's versions before the last ``rotate`` unusable, as an operator does."""


def _provider(member: KeyWrapper) -> KeyProvider:
    assert isinstance(member, KeyProvider)
    return member
