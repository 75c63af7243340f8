"""What the domain asks of the outside world. `app` and `storage` provide it."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol
from uuid import UUID

from domain.federation.entities import Connection, Proof, ProviderMetadata
from domain.kernel.actor import Actor
from domain.kernel.paging import Page
from domain.knowledge.parsing import ChunkDraft, ParsedDocument, Progress, Unpacked
from domain.models.entities import CompletionModel, EmbeddingModel, ModelProvider, RerankModel, TranscriptionModel
from domain.tenants.entities import Tenant, TenantQuery, TenantUse


class Passwords(Protocol):
    """Password hashing; slow on purpose, so it runs beside the event loop."""

    async def hash(self, password: str) -> str:
        """A new hash of `password`."""

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether it matches; takes the same time when nothing is stored."""

    def outdated(self, stored: str) -> bool:
        """Whether the hash should be made anew at the next sign-in."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail: `subject` and `text` are message ids with `params`; `{link}` in the text leads to `path` on this site."""

    to: str
    language: str
    subject: str
    text: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)


class Mailer(Protocol):
    """Sends mail, where the installation was given a server for it."""

    @property
    def ready(self) -> bool:
        """Whether mail can be sent at all."""

    async def send(self, *letters: Letter) -> int:
        """Send letters in one go; how many the server took. Never raises: what failed is in the log."""


class Deed(StrEnum):
    """What is counted, so that nobody does too much of it."""

    REQUEST = "request"
    UPLOAD = "upload"
    QUESTION = "question"


class Limiter(Protocol):
    """Keeps anybody from doing too much in a minute."""

    async def take(self, deed: Deed, actor: Actor) -> None:
        """Count it; raises `TooManyRequests` when it is too much."""


class Vault(Protocol):
    """Encryption of small secrets with the tenant's data key."""

    async def seal(self, tenant_id: UUID, plain: str) -> str:
        """The encrypted form, safe to store."""

    async def unseal(self, tenant_id: UUID, sealed: str) -> str:
        """The plain text again; raises when it was altered."""


@dataclass(frozen=True, slots=True)
class Access:
    """How a model provider is called: its address and options, and the plain key."""

    provider: ModelProvider
    secret: str | None = field(repr=False)


class Credentials(Protocol):
    """Finds the key for a call."""

    async def access(self, provider: ModelProvider) -> Access:
        """How a provider is called; raises `ProviderKeyMissing` when the key that it needs is nowhere."""


@dataclass(frozen=True, slots=True)
class StoredContent:
    """Content received into the file store: its name there, SHA-256 of the plain bytes, size in bytes."""

    name: str
    sha256: str
    size: int


class Contents(Protocol):
    """The encrypted, content-addressed file store."""

    async def receive(self, tenant_id: UUID, stream: AsyncIterator[bytes], limit: int) -> StoredContent:
        """Store a stream; raises `FileTooLarge` beyond `limit` bytes. Equal content is stored once for each tenant."""

    def read(self, tenant_id: UUID, name: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The plain bytes from `start` up to `end` (exclusive)."""

    def on_disk(self, tenant_id: UUID, name: str) -> AbstractAsyncContextManager[Path]:
        """A private plain copy for programs that need a path; removed afterwards."""

    async def delete(self, tenant_id: UUID, name: str) -> None:
        """Remove the content; nothing happens when it is gone already."""

    async def erase(self, tenant_id: UUID) -> int:
        """Remove everything of an organisation; how many contents there were."""


class Parser(Protocol):
    """Reads files in a sandboxed process."""

    async def parse(self, path: Path, filename: str, progress: Progress | None = None) -> ParsedDocument:
        """Text and structure; raises `UnreadableFile` and its kin."""

    def unpack(self, path: Path, filename: str) -> AbstractAsyncContextManager[Unpacked]:
        """The files of an archive, there until the block is left; raises `UnreadableFile` and its kin."""

    async def chunk(self, parsed: ParsedDocument, title: str, tokens: int = ...) -> Sequence[ChunkDraft]:
        """The pieces it is searched by, each of about so many `tokens`."""

    async def count(self, text: str) -> int:
        """How many tokens a text has."""


class Pictures(Protocol):
    """Draws pictures anew in a sandboxed process."""

    async def square(self, path: Path, side: int) -> bytes:
        """The middle of a picture (PNG, JPEG or WebP) as a PNG of at most `side` × `side` points, and nothing else of it.

        Raises `UnreadableFile` and its kin.
        """


class Scanner(Protocol):
    """Looks for harmful content in files."""

    async def scan(self, parts: AsyncIterator[bytes]) -> str | None:
        """The name of what was found, or None. Raises `ScannerUnreachable`."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of speech; `start` and `end` are in seconds."""

    start: float
    end: float
    text: str


class Transcriber(Protocol):
    """Writes down what is said in recordings."""

    async def transcribe(
        self, provider: ModelProvider, model: TranscriptionModel, path: Path, filename: str, progress: Progress
    ) -> Sequence[Segment]:
        """What is said, in order. Raises `UnreadableFile`, `ProviderFailed` and their kin."""


class Embedder(Protocol):
    """Turns texts into vectors (float32, little-endian, unit length)."""

    async def embed(
        self,
        tenant_id: UUID,
        model: EmbeddingModel,
        texts: Sequence[str],
        kind: Literal["query", "passage"],
        provider: ModelProvider | None = None,
        *,
        seconds: float | None = None,
        anyway: bool = False,
    ) -> Sequence[bytes]:
        """One vector for each text, in order; the model's provider is looked up where it is not given.

        Raises `ProviderFailed` and its kin, also when a request, its wait for a place at the provider included, takes longer
        than `seconds`. With `anyway` a model that rests, since it failed, is called all the same.
        """

    async def wake(self, provider: ModelProvider) -> None:
        """Start what a provider's models need before they can answer; at once where nothing has to start."""

    def expect(self, query: str) -> None:
        """Let the built-in model begin on a query that it will be asked in a moment."""


class Reranker(Protocol):
    """Says how well passages fit a question."""

    async def rerank(
        self, provider: ModelProvider, model: RerankModel, query: str, texts: Sequence[str]
    ) -> Mapping[int, float]:
        """The relevance of each text, by its place; a text that is missing was found worse than the others.

        Raises `ProviderFailed` and its kin, also when it takes too long.
        """


@dataclass(frozen=True, slots=True)
class ContextPassage:
    """A numbered passage as the model sees it."""

    number: int
    title: str
    text: str
    page: int | None
    vector_score: float | None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One call of a completion model. `messages` are OpenAI-shaped; `passages` the same knowledge as data."""

    tenant_id: UUID
    provider: ModelProvider
    model: CompletionModel
    messages: Sequence[dict[str, Any]]
    max_tokens: int
    settings: dict[str, Any]
    question: str
    passages: Sequence[ContextPassage]
    searched: bool
    language: str
    access: Access | None = None
    """How the provider is called, where that was found out ahead."""


@dataclass(frozen=True, slots=True)
class ChatDelta:
    """A piece of an answer or of what the model thinks before it, or the usage that the provider reports at its end."""

    text: str = ""
    thought: str = ""
    tokens_question: int | None = None
    tokens_answer: int | None = None
    tokens_cached: int | None = None


class ChatProvider(Protocol):
    """Calls completion models. Raises `ProviderFailed` and its kin, or `QueryTooLong`."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatDelta, None]:
        """The answer, piece by piece. Closing the iterator ends the call at the provider."""

    async def access(self, provider: ModelProvider) -> Access:
        """How a provider is called; raises `ProviderKeyMissing` when the key that it needs is nowhere."""

    async def test(self, provider: ModelProvider, secret: str | None) -> "ConnectionReport":
        """Try the provider and say what happened."""


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What a test of a provider found: each step as (message id, parameters, passed), and the models it offers."""

    ok: bool
    steps: Sequence[tuple[str, dict[str, Any], bool]]
    models: Sequence[str] = field(default_factory=tuple)


class IdentityProviders(Protocol):
    """Speaks OpenID Connect with providers. What does not fit raises `SignInRefused` with a sentence of its own."""

    async def metadata(self, discovery_endpoint: str) -> ProviderMetadata:
        """What the provider says of itself; remembered for a while."""

    async def authorization_url(self, connection: Connection, *, state: str, nonce: str, challenge: str) -> str:
        """Where to send somebody to sign in."""

    async def redeem(
        self,
        connection: Connection,
        code: str,
        *,
        verifier: str,
        nonce: str | None,
        issuer: str | None,
        redirect_uri: str | None = None,
    ) -> Proof:
        """Exchange a code and check everything that comes back. `issuer` is what the answer said of its origin."""

    async def ended(self, connection: Connection, logout_token: str) -> "EndedElsewhere":
        """What a logout token says, once it is checked."""

    async def sign_out_url(self, connection: Connection, id_token: str, target: str) -> str | None:
        """Where the browser ends the provider's own session; None when the provider offers no such thing."""

    async def examine(self, connection: Connection) -> "ConnectionReport":
        """Walk from the discovery document to the refusal of a made-up code, and say what was found."""


@dataclass(frozen=True, slots=True)
class EndedElsewhere:
    """A provider says that a person's session has ended there."""

    issuer: str
    subject: str | None
    provider_session: str | None
    issued_at: datetime


class Watch(Protocol):
    """Tells whether sign-ins through providers are being watched closely for a while."""

    async def on(self) -> bool:
        """Whether every step is to be logged."""


@dataclass(frozen=True, slots=True)
class TenantName:
    """An organisation as the sign-in page shows it."""

    slug: str
    name: str
    display_name: str


@dataclass(frozen=True, slots=True)
class LoginMatch:
    """Where an e-mail address belongs."""

    tenant_id: UUID
    user_id: UUID


@dataclass(frozen=True, slots=True)
class Located:
    """A row found across tenants, by its ids alone."""

    tenant_id: UUID
    id: UUID


class Directory(Protocol):
    """The few look-ups that cross tenants. They give ids only, but for what the operator is shown of organisations."""

    async def has_tenants(self) -> bool:
        """Whether the installation is set up."""

    async def tenant_ids(self) -> Sequence[UUID]:
        """All organisations."""

    async def login(self, email: str) -> LoginMatch | None:
        """The living account with this address."""

    async def api_key(self, digest: str) -> Located | None:
        """The API key with this SHA-256, as it is or as it was before it was renewed."""

    async def find_tenant(self, word: str) -> UUID | None:
        """The organisation with this slug or e-mail domain; None when there is none, or more than one."""

    async def deleting(self) -> Sequence[UUID]:
        """The organisations whose deletion has begun."""

    async def tenant_named(self, name: str) -> UUID | None:
        """The organisation with this name, whatever its case."""

    async def slugs(self, beginning: str) -> Sequence[str]:
        """The slugs in use that begin so."""

    async def tenants(self, query: TenantQuery, *, limit: int, cursor: str | None = None) -> Page[Tenant]:
        """Organisations in order of name, for the operator."""

    async def tenant_use(self, tenant_ids: Sequence[UUID]) -> Mapping[UUID, TenantUse]:
        """What each of these organisations uses."""

    async def user_tenant(self, user_id: UUID) -> UUID | None:
        """The organisation of a user, for the operator."""

    async def users_after(self, last: "Located | None", limit: int) -> "Sequence[Located]":
        """Accounts that are not deleted, organisation by organisation, for the operator."""

    async def tenant_names(self) -> Sequence[TenantName]:
        """The active organisations by name, for installations that show them to everybody."""

    async def due_jobs(self, lane: str, limit: int) -> Sequence[Located]:
        """Queued jobs that may run now, the tenants taking turns."""

    async def expired_jobs(self) -> Sequence[Located]:
        """Running jobs whose lease has run out."""

    async def due_websites(self) -> Sequence[Located]:
        """Websites whose time to be read has come."""

    async def stale_runs(self, older_than_seconds: float) -> Sequence[Located]:
        """Messages said to be running whose process no longer gives a sign of life."""

    async def stale_calls(self) -> Sequence[UUID]:
        """The organisations with calls of models that should have ended."""

    async def login_attempts(self, key: str, *, block_seconds: int) -> tuple[int, float]:
        """Failures in the current window and the seconds still to wait; a block is never longer than `block_seconds`."""

    async def login_failed(self, key: str, *, window_seconds: int, threshold: int, block_seconds: int) -> None:
        """Count a failed attempt; block the key beyond `threshold`."""

    async def login_succeeded(self, key: str) -> None:
        """Forget the failures of `key`."""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A chunk found by one leg of the search: its key, and its cosine similarity or its share (0-1) of the best BM25."""

    key: int
    score: float


@dataclass(frozen=True, slots=True)
class TextHits:
    """What the text leg found: chunks best first, the index terms it sought, the share of small words in the question.

    `chunks` is how many were in scope.
    """

    hits: Sequence[SearchHit] = ()
    terms: Sequence[str] = ()
    small_words: float = 0.0
    chunks: int = 0
