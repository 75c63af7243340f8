"""The names and types of the public API, as existing clients know them.

Only this floor says group for a collection, info-blob for a document, session for a conversation.
"""

from app.api.wire.api_keys import *
from app.api.wire.assistants import *
from app.api.wire.audit import *
from app.api.wire.base import *
from app.api.wire.budgets import *
from app.api.wire.classifications import *
from app.api.wire.conversations import *
from app.api.wire.credentials import *
from app.api.wire.federation import *
from app.api.wire.files import *
from app.api.wire.jobs import *
from app.api.wire.knowledge import *
from app.api.wire.model_migrations import *
from app.api.wire.models import *
from app.api.wire.operations import *
from app.api.wire.roles import *
from app.api.wire.security import *
from app.api.wire.settings import *
from app.api.wire.spaces import *
from app.api.wire.tenants import *
from app.api.wire.usage import *
from app.api.wire.user_groups import *
from app.api.wire.users import *
from app.api.wire.websites import *
