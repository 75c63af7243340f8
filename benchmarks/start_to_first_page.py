"""From starting the program to the first page, on an empty folder and on one in use."""

import time

import httpx

from benchmarks.installation import Installation, arguments, quantile, row


def seconds_to_first_page(installation: Installation) -> float:
    """Start the program and fetch the page that a visitor is led to."""
    began = time.monotonic()
    installation.start()
    httpx.get(installation.url, follow_redirects=True, timeout=60, trust_env=False).raise_for_status()
    return time.monotonic() - began


def main() -> None:
    chosen = arguments(__doc__, times=(5, 1))
    empty, used = [], []
    for _ in range(chosen.times):
        installation = Installation(organisation=False)
        try:
            empty.append(seconds_to_first_page(installation))
            installation.stop()
            used.append(seconds_to_first_page(installation))
        finally:
            installation.delete()
    for name, values in (("empty folder", empty), ("folder in use", used)):
        row(f"start to first page, {name}", median_s=quantile(values, 0.5), worst_s=max(values), starts=len(values))


if __name__ == "__main__":
    main()
