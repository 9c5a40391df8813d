"""The settings of rate limits: what is read, and what is refused."""

import pytest

from config import SettingsError, load
from config.rates import Rate

CANARY = "canary-5f1d"
STORE = "STRONGROOM_RATE_LIMIT_STORE"


def fault(name: str, text: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load({name: text})
    (only,) = refused.value.faults
    return only


@pytest.mark.parametrize("name", ["STRONGROOM_RATE_LIMIT_KEY", "STRONGROOM_RATE_LIMIT_ACCOUNT"])
def test_a_rate_is_a_number_a_second_or_a_minute(name: str) -> None:
    attribute = name.removeprefix("STRONGROOM_").lower()
    assert getattr(load({name: "20/second"}), attribute) == Rate(20, "second")
    assert getattr(load({name: "600/minute"}), attribute) == Rate(600, "minute")


@pytest.mark.parametrize(
    "text",
    [
        *("600", "600/hour", "600/minutes", "0/minute", "-1/minute", "+1/minute", "1.5/second"),
        *(" 600/minute", "600 /minute", "600/minute\n", "1000001/second", "٣/second", "/minute"),
        *("600/MINUTE", "600/minute;20/second", "9" * 99 + "/minute"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    refused = fault("STRONGROOM_RATE_LIMIT_KEY", text)
    assert refused == (
        "STRONGROOM_RATE_LIMIT_KEY: must be a whole number from 1 to 1000000, "
        "then /second or /minute."
    )


@pytest.mark.parametrize(
    "url",
    [
        *("redis://127.0.0.1:6379", "redis://[::1]:6379/1", "redis://localhost"),
        *("rediss://user:password@redis.example:6380/0", "redis+unix:///run/redis/redis.sock"),
    ],
)
def test_a_store_is_a_redis_server(url: str) -> None:
    assert load({STORE: url}).rate_limit_store == url


@pytest.mark.parametrize("url", ["redis://10.0.0.9:6379", f"redis://{CANARY}:6379"])
def test_a_store_elsewhere_needs_tls(url: str) -> None:
    assert fault(STORE, url) == (
        f"{STORE}: must begin with rediss:// unless the store is on a loopback address."
    )


@pytest.mark.parametrize(
    "url",
    [
        *("memory://", "memcached://h:1", "rediss://", "redis+unix://", "redis:", CANARY),
        *("rediss://h:99999", "rediss://h:x", "redis://[::1", "rediss://a b", "rediss://h\n"),
        *("mongodb://127.0.0.1", "unix:/run/redis.sock", "rediss://ä.example"),
    ],
)
def test_no_other_store_is_taken(url: str) -> None:
    assert CANARY not in fault(STORE, url)


def test_the_url_of_the_store_is_not_shown() -> None:
    assert CANARY not in repr(load({STORE: f"rediss://:{CANARY}@redis.example"}))
