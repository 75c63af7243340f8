"""Samråd's only entry point: `python main.py serve | worker | setup | migrate | doctor | …`."""

import sys

from app.cli import main

if __name__ == "__main__":
    sys.exit(main())
