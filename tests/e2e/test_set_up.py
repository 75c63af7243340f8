"""Setting up from the command line."""

from contextlib import closing
from pathlib import Path

from tests.support.provider import Provider
from tests.support.server import Installation


def test_a_provider_named_at_set_up_answers_the_first_question(tmp_path: Path, provider: Provider) -> None:
    installation = Installation(tmp_path / "data", WORKERS="0")
    installation.set_up(
        "--provider", "openai_compatible", "--base-url", provider.url, "--key", "sk-secret-1234", "--model", "ok:3"
    )
    installation.start()
    try:
        with closing(installation.client()) as client:
            space = client.get("/api/v1/spaces/type/personal/").json()
            body = {"assistant_id": space["default_assistant"]["id"], "question": "Hej"}
            assert client.post("/api/v1/conversations/", json=body).json()["answer"].split() == ["w0", "w1", "w2"]
            shown = client.get("/api/v1/admin/model-providers/").text
    finally:
        installation.stop()
    assert "Bearer sk-secret-1234" in [headers.get("authorization") for headers in provider.seen.headers]
    assert "sk-secret" not in shown
