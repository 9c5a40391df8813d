"""A credential becomes a header that every server reads the same, or none at all."""

import base64

import pytest

from app.domain.gateways.admissions import needles_of, render, render_custom
from app.domain.gateways.credentials import AuthMechanism, AuthType
from app.domain.gateways.refusals import CredentialNotSendable
from app.domain.secrets import SecretValue

CANARY = "canary-7f3a9d"
MECHANISMS = [
    AuthMechanism(AuthType.BEARER),
    AuthMechanism(AuthType.BASIC),
    AuthMechanism(AuthType.HEADER, "x-api-key"),
]


@pytest.mark.parametrize("auth", MECHANISMS, ids=lambda auth: auth.type)
@pytest.mark.parametrize("code", [*range(0x20), 0x7F])
def test_a_control_character_is_never_sent_nor_shown(auth: AuthMechanism, code: int) -> None:
    for value in (f"{CANARY}{chr(code)}rest", f"{CANARY}{chr(code)}", f"{chr(code)}{CANARY}"):
        with pytest.raises(CredentialNotSendable) as caught:
            render(auth, SecretValue(value))
        assert CANARY not in str(caught.value)


@pytest.mark.parametrize("value", ["", " a", "a ", "ä", "a\u2028b", "a" * 20_000])
def test_a_header_of_its_own_takes_visible_ascii_only(value: str) -> None:
    with pytest.raises(CredentialNotSendable):
        render(MECHANISMS[2], SecretValue(value))
    with pytest.raises(CredentialNotSendable):
        render_custom("x-other", value)


def test_a_basic_credential_may_hold_any_letter() -> None:
    header = render(MECHANISMS[1], SecretValue("user:päss wörd"))
    encoded = base64.b64encode("user:päss wörd".encode()).decode()
    assert (header.name, header.value.reveal()) == ("Authorization", f"Basic {encoded}")


def test_all_texts_that_show_a_basic_credential_are_looked_for() -> None:
    found = [each.reveal() for each in needles_of(MECHANISMS[1], SecretValue("user:pass"))]
    assert found == ["user:pass", base64.b64encode(b"user:pass").decode(), "pass"]


def test_a_credential_without_a_password_has_no_empty_needle() -> None:
    found = [each.reveal() for each in needles_of(MECHANISMS[1], SecretValue("user:"))]
    assert "" not in found
