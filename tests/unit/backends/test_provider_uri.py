"""One entry of a keyring setting."""

import pytest

from backends.errors import KeyProviderConfigError
from backends.provider_uri import ProviderSpec, parse_spec
from config.files import Files

SETTING = "STRONGROOM_KEYS (entry 2)"


def parse(uri: str) -> ProviderSpec:
    return parse_spec(uri, setting=SETTING, concurrency=8, files=Files())


@pytest.mark.parametrize(
    ("uri", "scheme", "location", "options"),
    [
        ("local-fernet:keys", "local-fernet", "keys", {}),
        ("local-fernet:/etc/strongroom/keys", "local-fernet", "/etc/strongroom/keys", {}),
        ("aws-kms:arn:aws:kms:x:1:key/a", "aws-kms", "arn:aws:kms:x:1:key/a", {}),
        (
            "vault-transit:https://h:8200/t/k?id=a",
            "vault-transit",
            "https://h:8200/t/k",
            {"id": "a"},
        ),
        ("x:y?a=1&b=&c=%2Fetc%20x", "x", "y", {"a": "1", "b": "", "c": "/etc x"}),
        ("x:y?a=b?c=d", "x", "y", {"a": "b?c=d"}),
    ],
)
def test_an_entry_is_scheme_location_and_options(
    uri: str, scheme: str, location: str, options: dict[str, str]
) -> None:
    assert parse(uri) == ProviderSpec(SETTING, scheme, location, options, 8, Files())


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "keys",
        ":keys",
        "local-fernet:",
        "local-fernet:?a=b",
        "Local:keys",
        "1x:keys",
        "a_b:keys",
    ],
)
def test_what_has_no_scheme_and_location_is_refused(uri: str) -> None:
    with pytest.raises(KeyProviderConfigError, match="must read scheme:location"):
        parse(uri)


@pytest.mark.parametrize("query", ["a", "a=1&&b=2", "a=1&b", "&".join(f"o{n}=" for n in range(17))])
def test_malformed_options_are_refused(query: str) -> None:
    with pytest.raises(KeyProviderConfigError, match="malformed"):
        parse(f"x:y?{query}")


@pytest.mark.parametrize("query", ["a=1&a=1", "a=1&b=2&a=3", "a=1&%61=2"])
def test_an_option_is_given_once(query: str) -> None:
    with pytest.raises(KeyProviderConfigError, match="given twice"):
        parse(f"x:y?{query}")


@pytest.mark.parametrize("uri", ["hunter2", "x:y?hunter2", "x:y?hunter2=1&hunter2=2"])
def test_a_refusal_names_the_setting_and_never_the_value(uri: str) -> None:
    with pytest.raises(KeyProviderConfigError) as caught:
        parse(uri)
    assert str(caught.value).startswith(f"{SETTING}: ")
    assert "hunter2" not in str(caught.value)
