"""Which key a provider is called with: every case in one table."""

import pytest

from domain.credentials.resolver import Choice, Key, Source, choose
from domain.kernel.errors import ProviderKeyMissing

HERE, ELSEWHERE = "https://modell.example.se/v1", "https://annan.example.com/v1"
OURS, BARE = Key("openai", "ours"), Key("azure", "ours", HERE)
THEIRS = [Key("openai", "theirs"), Key("azure", "theirs", HERE, "2025-01"), Key("hosted_vllm", "theirs", HERE)]
VLLM = Key("hosted_vllm", "ours", HERE)
TENANT, INSTALLATION, NONE = Source.TENANT, Source.INSTALLATION, Source.NONE


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("tenant", [[], [OURS]])
def test_the_providers_own_key_goes_first(tenant: list[Key], strict: bool) -> None:
    assert choose("openai", None, own=True, tenant=tenant, installation=THEIRS, strict=strict) == Choice(
        Source.PROVIDER
    )


@pytest.mark.parametrize(
    ("kind", "address", "tenant", "strict", "expected"),
    [
        ("openai", None, [OURS], False, Choice(TENANT, OURS)),
        ("openai", None, [OURS], True, Choice(TENANT, OURS)),
        ("openai", None, [], False, Choice(INSTALLATION, THEIRS[0])),
        ("openai", None, [], True, None),
        # A key goes to no address but its own, whoever has it.
        ("openai", ELSEWHERE, [OURS], False, None),
        ("openai", ELSEWHERE, [], False, None),
        # The organisation's lacks an API version: it is not taken from the installation's.
        ("azure", HERE, [BARE], False, Choice(TENANT, BARE)),
        ("azure", HERE, [], False, Choice(INSTALLATION, THEIRS[1])),
        ("azure", ELSEWHERE, [BARE], False, None),
        ("azure", HERE, [OURS], False, Choice(INSTALLATION, THEIRS[1])),
        # A server of one's own needs no key, and gets the one that was entered with its address.
        ("openai_compatible", HERE, [VLLM], True, Choice(TENANT, VLLM)),
        ("openai_compatible", HERE, [], False, Choice(INSTALLATION, THEIRS[2])),
        ("openai_compatible", HERE, [], True, Choice(NONE)),
        ("openai_compatible", ELSEWHERE, [VLLM], False, Choice(NONE)),
        ("anthropic", None, [OURS], False, None),
    ],
)
def test_then_the_organisations_then_the_installations(
    kind: str, address: str | None, tenant: list[Key], strict: bool, expected: Choice | None
) -> None:
    def chosen() -> Choice:
        return choose(kind, address, own=False, tenant=tenant, installation=THEIRS, strict=strict)

    if expected is None:
        with pytest.raises(ProviderKeyMissing):
            chosen()
    else:
        assert chosen() == expected
