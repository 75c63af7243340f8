"""Addresses at which there is nothing."""

import pytest

from tests.support.api import Api

NO_SUCH_ADDRESS, WRONG_METHOD = "There is nothing at this address.", "This address does not support the method."


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("POST", "/api/v1/nothing/", 404, NO_SUCH_ADDRESS),
        ("DELETE", "/api/v1/spaces/", 405, WRONG_METHOD),
        ("POST", "/v1/responses", 404, NO_SUCH_ADDRESS),
        ("DELETE", "/v1/models", 405, WRONG_METHOD),
    ],
)
async def test_a_wrong_address_or_method_is_told_as_everything_else(
    api: Api, method: str, path: str, status: int, said: str
) -> None:
    client = await api.client()
    answer = await client.request(method, path, headers={"accept-language": "en"})
    told = answer.json()
    assert (answer.status_code, told["message"]) == (status, said)
    assert told["request_id"]
    assert ("GET" in answer.headers.get("allow", "")) == (status == 405)
    # As the clients of each side know an error.
    assert told["error"]["message"] == said if path.startswith("/v1/") else told["code"] in (9000, 9007)


async def test_a_slash_too_many_or_too_few_leads_to_the_address(api: Api) -> None:
    client = await api.client()
    for path, leads_to in (("/api/v1/spaces?limit=1", "/api/v1/spaces/?limit=1"), ("/v1/models/", "/v1/models")):
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["location"]) == (307, leads_to)
        assert (await client.get(path, follow_redirects=True)).status_code == 200


async def test_a_token_that_is_not_valid_is_called_so(api: Api) -> None:
    client = await api.client()
    wrong = {"accept-language": "en", "authorization": "Bearer sk-wrong"}
    for path in ("/api/v1/spaces/", "/v1/models"):
        answer = await client.get(path, headers=wrong)
        assert answer.status_code == 401
        assert answer.json()["message"].startswith("The access token is not valid")
