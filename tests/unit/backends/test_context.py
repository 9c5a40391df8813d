"""Contexts: two rows never share one."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crypto.archived import ArchivedContext
from app.crypto.values import ValueContext
from app.services.idempotency import StoredResponseContext
from backends.context import KeyContext

Context = ValueContext | KeyContext | StoredResponseContext | ArchivedContext

words = st.text(st.characters(codec="utf-8"), max_size=6)
numbers = st.integers(0, 2**64 - 1)
contexts = st.one_of(
    st.builds(KeyContext, words, words, words),
    st.builds(StoredResponseContext, words, words, words, words, words),
    st.builds(ValueContext, words, words, words, words, numbers, words),
    st.builds(ArchivedContext, words, words, words, numbers, words, numbers, numbers, words, words),
)


@given(contexts, contexts)
def test_different_contexts_have_different_bytes(one: Context, other: Context) -> None:
    assert (one == other) == (one.to_bytes() == other.to_bytes())


@given(contexts, contexts)
def test_no_context_begins_another(one: Context, other: Context) -> None:
    assert one == other or not one.to_bytes().startswith(other.to_bytes())


@pytest.mark.parametrize("moved", range(3))
def test_text_that_moves_to_a_neighbouring_field_changes_the_context(moved: int) -> None:
    fields = ["dep_1", "acc_1", "dk_1"]
    whole = KeyContext(*fields).to_bytes()
    fields[moved - 1], fields[moved] = fields[moved - 1] + fields[moved][:1], fields[moved][1:]
    assert KeyContext(*fields).to_bytes() != whole


def test_the_mapping_names_each_id_once() -> None:
    mapping = KeyContext("dep_1", "acc_1", "dk_1").to_mapping()
    assert sorted(mapping.values()) == ["acc_1", "dep_1", "dk_1"]


def test_the_mapping_tells_any_two_keys_apart() -> None:
    keys = [KeyContext(d, a, k) for d in "xy" for a in "xy" for k in "xy"]
    assert all(one.to_mapping() != other.to_mapping() for one, other in combinations(keys, 2))


def test_the_version_is_an_integer_of_64_bits() -> None:
    context = ValueContext("d", "a", "s", "n", 2**64 - 1, "k")
    assert b"\xff" * 8 in context.to_bytes()
