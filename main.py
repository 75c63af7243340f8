"""Samråd's only entry point: `python main.py serve | worker | setup | migrate | doctor | …`."""

import sys

from app.cli import main

HELPERS = {
    "child": "app.ingestion.child",
    "embed-server": "app.ai.embedding.server",
    "embed-convert": "app.ai.embedding.convert",
}
"""What a frozen program starts itself as; elsewhere these are `python -m …`."""


def run() -> int:
    """The command; returns the exit status."""
    if getattr(sys, "frozen", False) and sys.argv[1:2] and sys.argv[1] in HELPERS:
        import runpy

        runpy.run_module(HELPERS[sys.argv.pop(1)], run_name="__main__", alter_sys=True)
        return 0
    return main()


if __name__ == "__main__":
    sys.exit(run())
