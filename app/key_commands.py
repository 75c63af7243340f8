"""`keys list` and `keys rotate`."""

import sys

from app.bootstrap import Runtime, build
from app.config import Settings
from app.databases import check_database
from app.security.keys import MasterKeyError, tag_of
from app.security.rotation import KeysOf


async def keys(settings: Settings, what: str, *, data: bool) -> int:
    """Run one of the two; 0 when everything could be read."""
    await check_database(settings)
    try:
        runtime = await build(settings, listen=False)
        try:
            return await _list(runtime) if what == "list" else await _rotate(runtime, data)
        finally:
            await runtime.close()
    except MasterKeyError as error:
        sys.stderr.write(f"{error}\n")
        return 1


async def _list(runtime: Runtime) -> int:
    masters, known = runtime.ring.masters, await runtime.rotation.overview()
    for number, master_id in enumerate(masters.ids):
        wrapped = sum(key.master_key_id == master_id for each in known for key in each.keys)
        state = "newest" if number == 0 else "needed" if wrapped or _unsigned(known) else "no longer needed"
        sys.stdout.write(f"master key {master_id}: {state}, {wrapped} data keys under it\n")
    for each in known:
        living = next((key for key in each.keys if key.retired_at is None), None)
        for key in each.keys:
            state = "retired" if key.retired_at else "encrypts" if key is living else "coming"
            sys.stdout.write(f"{each.slug}: data key {tag_of(key)} of {key.created_at:%Y-%m-%d}, {state}\n")
    return 0


def _unsigned(known: list[KeysOf]) -> bool:
    return not all(each.signed_by_newest for each in known)


async def _rotate(runtime: Runtime, data: bool) -> int:
    whole = await runtime.rotation.run(data=data, say=_say)
    await runtime.services.deletion.sign_anew()
    sys.stdout.write("Done.\n" if whole else "Done, but for the values named above.\n")
    return 0 if whole else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
