"""The processor time of the server, and the time it takes, for the simplest request: signed in, and with an API key."""

import time

import httpx

from benchmarks.installation import Installation, arguments, quantile, row

PATH = "/api/v1/users/me/"


def main() -> None:
    chosen = arguments(__doc__, requests=(2_000, 50))
    with Installation() as installation, installation.client() as client:
        measured(installation, client, f"GET {PATH}", chosen.requests)
        made = client.post("/api/v1/api-keys/", json={"name": "Benchmark", "scopes": ["read"]}).raise_for_status()
        headers = {"X-API-Key": made.json()["key"]}
        with httpx.Client(base_url=installation.url, trust_env=False, headers=headers) as program:
            measured(installation, program, f"GET {PATH} with an API key", chosen.requests)


def measured(installation: Installation, client: httpx.Client, name: str, requests: int) -> None:
    """Ask again and again, and print what it took."""
    for _ in range(20):
        client.get(PATH).raise_for_status()
    before, taken = installation.cpu_seconds(), []
    for _ in range(requests):
        began = time.perf_counter()
        client.get(PATH).raise_for_status()
        taken.append((time.perf_counter() - began) * 1_000)
    used = (installation.cpu_seconds() - before) * 1_000
    row(name, cpu_ms=used / requests, p50_ms=quantile(taken, 0.5), p95_ms=quantile(taken, 0.95), requests=requests)


if __name__ == "__main__":
    main()
