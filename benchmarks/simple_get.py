"""The processor time of the server, and the time it takes, for the simplest request of somebody who is signed in."""

import time

from benchmarks.installation import Installation, arguments, quantile, row

PATH = "/api/v1/users/me/"


def main() -> None:
    chosen = arguments(__doc__, requests=(2_000, 50))
    with Installation() as installation, installation.client() as client:
        for _ in range(20):
            client.get(PATH).raise_for_status()
        before, taken = installation.cpu_seconds(), []
        for _ in range(chosen.requests):
            began = time.perf_counter()
            client.get(PATH).raise_for_status()
            taken.append((time.perf_counter() - began) * 1_000)
        used = (installation.cpu_seconds() - before) * 1_000
    row(
        f"GET {PATH}",
        cpu_ms=used / chosen.requests,
        p50_ms=quantile(taken, 0.5),
        p95_ms=quantile(taken, 0.95),
        requests=chosen.requests,
    )


if __name__ == "__main__":
    main()
