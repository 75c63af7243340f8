"""A small installation as a version leaves it, kept as a backup, so that every later version is tried on it.

python -m tests.support.release     writes tests/fixtures/releases/<version>-<schema>.samrad
"""

import asyncio
import tempfile
from pathlib import Path

from app import __version__, backup
from app.bootstrap import build
from app.config import Settings
from app.databases import migrate_database
from app.server import create_api
from domain.tenants.service import Setup
from storage.migrate import head
from tests.conftest import PASSWORD
from tests.support import documents
from tests.support.api import Api, make_assistant, make_collection, make_space, upload
from tests.support.server import MODEL

FOLDER = Path(__file__).parents[1] / "fixtures" / "releases"
SECRET = b"the secret of the releases in the tests"
EMAIL, QUESTION, FACT = "owner@example.se", "Vad kostar bygglov för en altan?", "Avgiften för en altan är 4 300 kronor."


async def make(path: Path) -> None:
    """Write the backup of an installation in which one question was asked about one document."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(_env_file=None, data_dir=Path(folder), models_dir=MODEL)  # type: ignore[call-arg]
        await migrate_database(settings)
        runtime = await build(settings, listen=False)
        runtime.contents.prepare()
        try:
            owner = await runtime.services.setup.run(Setup("Sundsvalls kommun", EMAIL, PASSWORD))
            api = Api(runtime, create_api(runtime), owner)
            client = await api.client(EMAIL)
            space_id = await make_space(client)
            collection_id = await make_collection(client, space_id)
            await upload(client, collection_id, "Handbok.pdf", documents.pdf(["Handbok om bygglov.", FACT]))
            await api.work()
            assistant_id = await make_assistant(client, space_id, collection_id)
            body = {"assistant_id": assistant_id, "question": QUESTION, "stream": False}
            (await client.post("/api/v1/conversations/", json=body)).raise_for_status()
            await backup.write(settings, path, SECRET)
        finally:
            await runtime.close()


if __name__ == "__main__":
    asyncio.run(make(FOLDER / f"{__version__}-{head()}.samrad"))
