"""How good the search is on labelled sets, by leg, with and without the analysis of words.

`python -m benchmarks.quality [FOLDER …]`: folders with corpus.jsonl, queries.jsonl and qrels.tsv. Without any: the set that
the repository carries and those of `benchmarks.labelled`, made anew.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from sqlalchemy import text

from app.bootstrap import Runtime
from app.config import Settings
from app.evaluate import MODES, installation, run, take_in
from app.labelled_sets import read
from benchmarks import labelled
from storage.search import analysis, rebuild, words

CARRIED = Path(__file__).parent / "sets/kommun-sv"


async def measure(folder: Path) -> None:
    """Print a line for each leg of the search, and for the words as they are written."""
    labelled = read(folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels.tsv")
    async with installation(Settings(), None) as (runtime, actor):
        collection, keys = await take_in(runtime, actor, labelled.texts)
        rows = {mode: await run(runtime, actor, collection, labelled, keys, mode) for mode in MODES}
        await _as_written(runtime)
        for mode in ("text", "hybrid"):
            rows[f"{mode}, words as written"] = await run(runtime, actor, collection, labelled, keys, mode)
    for name, found in rows.items():
        figures = (found.ndcg_10, found.recall_10, found.recall_100, found.mrr)
        print(
            f"| {folder.name} | {len(labelled.texts):,} | {found.queries} | {name} | "
            + " | ".join(f"{figure:.3f}" for figure in figures)
            + " |",
            flush=True,
        )


async def _as_written(runtime: Runtime) -> None:
    """From now on words are only folded: no stems, no longer words, no parts of compounds."""
    analysis.stem = lambda word, language: word
    words.stem = analysis.stem
    words.EXPANDED_WORDS, words.COMPOUND_LENGTH = 0, 1_000
    async with runtime.database.system_session(write=True) as session:
        await session.execute(text("insert into chunk_terms(chunk_terms) values ('delete-all')"))
        await session.execute(text("delete from chunk_words"))
        await (await session.connection()).run_sync(rebuild.words)
        await session.commit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    folders = parser.parse_args().folders
    if not folders:
        made = Path(tempfile.mkdtemp(prefix="samrad-labelled-"))
        for language in labelled.PACKAGES:
            labelled.make(language, made / f"help-{language}")
        folders = [CARRIED, *sorted(made.iterdir())]
    if len(folders) == 1:
        asyncio.run(measure(folders[0]))
        return
    # The analysis is changed on the way: each set has a process of its own.
    sys.exit(asyncio.run(_each(folders)))


async def _each(folders: list[Path]) -> int:
    for folder in folders:
        done = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.quality", str(folder))
        if await done.wait():
            return 1
    return 0


if __name__ == "__main__":
    main()
