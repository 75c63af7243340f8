"""Settings: defaults that work, mistakes named in one sentence, a page that is never out of date."""

from pathlib import Path

import pytest

from app.config import Settings, SettingsError, documentation, load


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `.env` and no settings but the test's own."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_nothing_needs_to_be_set() -> None:
    settings = load()
    assert settings.single_node
    assert settings.port == 8080


def test_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PORT=9000\nHOST=0.0.0.0\n# NONSENSE=1\n")
    monkeypatch.setenv("PORT", "9001")
    settings = load()
    assert (settings.port, settings.host) == (9001, "0.0.0.0")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("PROT=9000", "Did you mean PORT"),
        ("ENTIRELY_OTHER=1", "docs/settings.md"),
        ("PORT=http", "PORT"),
        ("PORT=70000", "PORT"),
        ("DATABASE_URL=mysql://x", "postgresql://"),
        ("JWT_SECRET=short", "JWT_SECRET"),
    ],
)
def test_a_mistake_is_named(line: str, said: str) -> None:
    Path(".env").write_text(line + "\n")
    with pytest.raises(SettingsError, match=said):
        load()


def test_the_page_lists_every_setting_as_it_is() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
    assert page.read_text() == documentation()
    for name, field in Settings.model_fields.items():
        assert field.description, name
