"""`python -m app.probe`: whether the web process on this machine can work, for containers. Loads next to nothing."""

import os
import sys
import urllib.request

SECONDS = 4


def main() -> int:
    """0 when `/readyz` says so."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{os.environ.get('PORT', '8080')}/readyz", timeout=SECONDS):
            return 0
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
