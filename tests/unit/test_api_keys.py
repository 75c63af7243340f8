"""Where a key may be used from, and what its secret looks like."""

import pytest

from domain.api_keys.entities import ApiKey, clean_networks, looks_like_key, new_secret
from domain.kernel.errors import Invalid
from domain.kernel.ids import new_id


def key(*networks: str) -> ApiKey:
    nobody = new_id()
    return ApiKey(
        tenant_id=nobody, user_id=nobody, kind="user", name="x", hash="", start="", last_four="",
        networks=clean_networks(networks),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ((), "198.51.100.7", True),
        ((), None, True),
        (("198.51.100.0/24",), "198.51.100.7", True),
        (("198.51.100.0/24",), "198.51.101.7", False),
        (("198.51.100.0/24",), "::ffff:198.51.100.7", True),
        (("198.51.100.0/24",), "2001:db8::1", False),
        (("2001:db8::/32", "198.51.100.7"), "2001:db8:1::9", True),
        (("2001:db8::/32", "198.51.100.7"), "198.51.100.8", False),
        (("198.51.100.0/24",), None, False),
        (("198.51.100.0/24",), "testclient", False),
    ],
)
def test_networks(networks: tuple[str, ...], address: str | None, allowed: bool) -> None:
    assert key(*networks).allows(address) is allowed


@pytest.mark.parametrize("entry", ["0.0.0.0/33", "example.se", "10.0.0.0/8/8", "<script>"])
def test_what_is_no_network_is_named(entry: str) -> None:
    with pytest.raises(Invalid) as refused:
        clean_networks([entry])
    assert refused.value.field == "networks"


def test_secrets_are_told_from_tokens() -> None:
    for kind, prefix in (("user", "inp_"), ("service_account", "inp_"), ("assistant", "ina_")):
        secret = new_secret(kind)
        assert secret.startswith(prefix)
        assert looks_like_key(secret)
        assert not looks_like_key(secret + "\n")
        assert not looks_like_key(secret.upper())
    assert new_secret("user") != new_secret("user")
