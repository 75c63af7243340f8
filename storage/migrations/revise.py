"""Writes the next revision: the difference between the newest revision and the tables as the code has them now."""

import asyncio
import sys
import tempfile
from pathlib import Path

from storage import migrate, sqlite


async def _revise(message: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "revise.db"
        engine = sqlite.make_engine(f"sqlite+aiosqlite:///{path}", write=True, pool_size=1, foreign_keys=False)
        number = int(migrate.head() or 0) + 1
        try:
            async with engine.connect() as connection:
                await connection.run_sync(migrate.upgrade_tables)
                await connection.run_sync(migrate.new_revision, message, f"{number:04}")
        finally:
            await engine.dispose()


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1]:
        sys.exit('Say what changes: make migration MESSAGE="…"')
    asyncio.run(_revise(sys.argv[1]))
