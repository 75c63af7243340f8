"""Settings: typed, from the environment or `.env`, each with a default that works. `docs/settings.md` is made from here."""

import base64
import difflib
import ipaddress
import os
import re
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import unquote, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AliasChoices, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(RuntimeError):
    """A setting is wrong; the message names it and says what to do."""


class Settings(BaseSettings):
    """Everything that can be set. Names are case-insensitive."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    host: str = Field("127.0.0.1", description="Address to listen on. Use 0.0.0.0 behind a proxy or in a container.")
    port: int = Field(8080, ge=1, le=65535, description="Port to listen on.")
    data_dir: Path = Field(Path("data"), description="Folder for the database, files and keys of a single node.")
    database_url: str | None = Field(
        None, description="PostgreSQL as its owner (postgresql://…). Without it, SQLite in the data folder."
    )
    database_app_url: str | None = Field(
        None, description="PostgreSQL as the program's role, when an administrator made that role by hand."
    )
    database_reader_url: str | None = Field(
        None, description="A copy of the PostgreSQL database (streaming replica) that answers reports of usage."
    )
    database_reader_lag: float = Field(
        10, ge=0, description="A copy that is more seconds behind is not asked; the main database is."
    )
    database_connections: int = Field(
        10, ge=2, le=200, description="Connections to PostgreSQL that a process keeps; in a rush it opens five more."
    )
    redis_url: str | None = Field(
        None, description="Redis or Valkey for jobs and events (redis://…). Without it, a private one is started."
    )
    public_origin: str | None = Field(
        None,
        description="Address under which people reach the product: https://ai.example.se, or with a path behind a proxy.",
    )
    encryption_key: str | None = Field(
        None,
        description="Master key, 32 bytes in base64 or hexadecimal; several with commas, the newest first. "
        "Without it, one is kept in the data folder.",
    )
    fernet_keys: str = Field(
        "", description="Fernet keys of encrypted values that were brought along, with commas. They are only read with."
    )
    jwt_secret: str | None = Field(None, min_length=32, description="Signs API tokens. Derived from the master key.")
    jwt_audience: str = Field("samrad", description="The `aud` claim of API tokens.")
    jwt_issuer: str = Field("samrad", description="The `iss` claim of API tokens.")
    jwt_expiry_time: int = Field(86_400, ge=60, description="Lifetime of an API token, in seconds.")
    session_idle_minutes: int = Field(480, ge=1, description="A browser's sign-in ends after so long without use.")
    session_max_hours: int = Field(720, ge=1, description="A browser's sign-in ends after so long in any case.")
    password_min_length: int = Field(10, ge=8, le=100, description="Least number of characters of a new password.")
    smtp_host: str | None = Field(
        None, description="Mail server for invitations and new passwords. Without it, links are copied by hand."
    )
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the mail server.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the mail server is spoken to: starttls, tls or none."
    )
    smtp_user: str | None = Field(None, description="User name at the mail server, where it asks for one.")
    smtp_password: str | None = Field(None, description="Password at the mail server.")
    smtp_from: str | None = Field(None, description="Sender of mails, for instance samrad@example.se.")
    upload_max_file_size: int = Field(2 * 1024**3, ge=1, description="Largest document, in bytes.")
    upload_file_to_session_max_size: int = Field(
        50 * 1024**2, ge=1, description="Largest file attached to a question, in bytes."
    )
    upload_image_to_session_max_size: int = Field(
        10 * 1024**2, ge=1, description="Largest picture attached to a question, in bytes."
    )
    max_in_question: int = Field(10, ge=0, description="Files that can be attached to one question.")
    super_api_key: str | None = Field(
        None, min_length=16,
        validation_alias=AliasChoices("eneo_super_api_key", "super_api_key", "intric_super_api_key"),
        description="Key of the operator's interface /api/v1/sysadmin. Without it, that interface is closed.",
    )  # fmt: skip
    tenant_credentials_enabled: bool = Field(
        False,
        description="Organisations have keys of their own at AI providers; those of the installation are nobody's then.",
    )
    openai_api_key: str | None = Field(None, description="The installation's key at OpenAI, for whoever has none.")
    azure_api_key: str | None = Field(None, description="The installation's key at Azure OpenAI.")
    azure_endpoint: str | None = Field(None, description="Address that belongs to AZURE_API_KEY.")
    azure_api_version: str | None = Field(None, description="API version that belongs to AZURE_API_KEY.")
    anthropic_api_key: str | None = Field(None, description="The installation's key at Anthropic.")
    mistral_api_key: str | None = Field(None, description="The installation's key at Mistral.")
    gemini_api_key: str | None = Field(None, description="The installation's key at Google Gemini.")
    cohere_api_key: str | None = Field(None, description="The installation's key at Cohere.")
    vllm_api_key: str | None = Field(None, description="The installation's key at VLLM_ENDPOINT.")
    vllm_endpoint: str | None = Field(
        None, description="OpenAI-compatible address (https://…/v1) that VLLM_API_KEY belongs to."
    )
    super_duper_api_key: str | None = Field(
        None, min_length=16,
        validation_alias=AliasChoices("eneo_super_duper_api_key", "super_duper_api_key", "intric_super_duper_api_key"),
        description="Key of the interface /api/v1/modules. Without it, that interface is closed.",
    )  # fmt: skip
    federation_per_tenant_enabled: bool = Field(
        False, description="Organisations may have identity providers of their own."
    )
    federation_list_tenants: bool = Field(
        False, description="The sign-in page shows the names of all organisations to everybody."
    )
    oidc_discovery_endpoint: str | None = Field(
        None, description="Discovery document of one identity provider for the whole installation (https://…)."
    )
    oidc_client_id: str | None = Field(None, description="Client id at that provider.")
    oidc_client_secret: str | None = Field(None, description="Client secret at that provider.")
    oidc_tenant_id: UUID | None = Field(
        None, description="Organisation whose people it knows. Without it, the first active one."
    )
    oidc_provider_name: str = Field("", description="Name of that provider on the sign-in page.")
    oidc_scopes: str = Field("openid email profile", description="Scopes that are asked of that provider.")
    oidc_allowed_domains: str = Field("", description="E-mail domains that may sign in through it, with commas.")
    oidc_trust_email: bool = Field(
        False, description="Believe its e-mail addresses also where it does not say that they are verified."
    )
    oidc_state_ttl_seconds: int = Field(600, ge=30, le=3600, description="Time to sign in at an identity provider.")
    oidc_redirect_grace_period_seconds: int = Field(
        900, ge=0, description="A sign-in under way survives a change of address for so long."
    )
    strict_oidc_redirect_validation: bool = Field(
        True, description="Refuse sign-ins under way when the address has changed, but for the time of grace."
    )
    oidc_clock_leeway_seconds: int = Field(
        120, ge=0, le=600, description="By so much the clock of an identity provider may differ."
    )
    oidc_timeout_seconds: float = Field(10, gt=0, le=60, description="Longest wait for an answer of such a provider.")
    api_key_header_name: str = Field("X-API-Key", description="Header in which API keys are sent.")
    rate_limit_requests: int = Field(
        1200, ge=0, description="API requests that one caller may make in a minute; 0 = any."
    )
    rate_limit_uploads: int = Field(600, ge=0, description="Files that one caller may upload in a minute; 0 = any.")
    rate_limit_questions: int = Field(60, ge=0, description="Questions that one caller may ask in a minute; 0 = any.")
    rate_limit_tenant_factor: int = Field(
        20, ge=0, description="An organisation may do so many times as much as one caller; 0 = any."
    )
    rate_limit_strangers: int = Field(
        1200, ge=0, description="Requests without credentials from one network address in a minute; 0 = any."
    )
    rate_limit_refusals: int = Field(
        120, ge=0, description="Refused credentials from one network address in a minute; 0 = any."
    )
    outbound_allow: str = Field(
        "", description="Private hosts that may be called, with commas: names, host:port pairs or networks."
    )
    crawl_allow: str = Field(
        "", description="Private hosts whose pages may be read as websites, with commas; like OUTBOUND_ALLOW."
    )
    crawl_max_download: int = Field(
        20 * 1024**2, ge=1024, description="Largest page or file that is read from a website, in bytes."
    )
    crawl_browser: str = Field(
        "", description="Chromium that runs the scripts of websites; empty = the system's, off = none."
    )
    time_zone: str = Field(
        "Europe/Stockholm", description="Time zone in which times are shown, and times of day are meant."
    )
    allowed_hosts: str = Field(
        "", description="Host names the product answers to beside that of PUBLIC_ORIGIN and this machine, with commas."
    )
    allowed_origins: str = Field("", description="Origins of browsers that may call the API, with commas.")
    forwarded_allow_ips: str = Field("127.0.0.1", description="Proxies whose X-Forwarded headers are believed.")
    workers: int = Field(1, ge=0, description="Worker processes for documents on a single node; 0 = none here.")
    embedding_idle_seconds: float = Field(120, ge=1, description="The embedding process ends after so long unused.")
    models_dir: Path | None = Field(
        None, description="Folder of the built-in model's files; default in the data folder."
    )
    ocr_max_pages: int = Field(
        200,
        ge=0,
        description="Scanned pages of one document that are read by OCR, where tesseract is installed; 0 = none.",
    )
    transcription_max_file_size: int = Field(
        25 * 1024**2, ge=1,
        description="Largest recording sent to a provider at once, in bytes. With ffmpeg, larger ones are cut.",
    )  # fmt: skip
    rerank_seconds: float = Field(
        3.0, gt=0, description="So long a search waits for a rerank model; after that it does without, in seconds."
    )
    clamav_address: str | None = Field(
        None, description="Virus scanner for uploads: unix:/path/of/clamd.socket or tcp://host:port."
    )
    clamav_required: bool = Field(
        True,
        description="Refuse uploads while the virus scanner does not answer. Without, they are noted in the audit log.",
    )
    parse_memory_mb: int = Field(1500, ge=256, description="Memory that reading one document may take, in MB.")
    parse_seconds: int = Field(300, ge=5, description="Time that reading one document may take, in seconds.")
    audit_stream_file: str | None = Field(
        None, description="File to which the audit log is also written, one JSON object a line; `-` is standard output."
    )
    backup_schedule: str = Field(
        "", description="Time of day (02:30) at which a single node backs itself up into BACKUP_FOLDER; empty = never."
    )
    backup_folder: Path | None = Field(
        None, description="Folder of scheduled backups; better on another disk than the data folder."
    )
    backup_keep: int = Field(14, ge=1, description="So many scheduled backups are kept, the newest.")
    backup_key_file: Path | None = Field(
        None, description="File whose content encrypts backups: 32 random characters or more (openssl rand -hex 32)."
    )
    metrics_token: str | None = Field(
        None, min_length=16, description="Bearer token of /metrics. Without it, only this machine itself may read it."
    )
    alert_email: str = Field("", description="Addresses that are told when something is wrong, with commas.")
    alert_webhook: str | None = Field(
        None, description="Address to which alerts are posted as JSON; a private one must be in OUTBOUND_ALLOW."
    )
    alert_queue_minutes: float = Field(15, gt=0, description="A job that waits longer is told.")
    alert_disk_gb: float = Field(2, ge=0, description="Less free room in the data folder is told, in GB.")
    alert_error_percent: float = Field(
        5,
        gt=0,
        le=100,
        description="A larger share of failed requests is told, where there are 20 or more in a minute.",
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        description="OpenTelemetry collector (http://…:4318) that gets traces by OTLP/HTTP. Without it, none are made.",
    )
    otel_exporter_otlp_headers: str = Field(
        "", description="Headers for the collector, with commas: name=value, percent-encoded."
    )
    otel_service_name: str = Field("samrad", min_length=1, description="What traces call this installation.")
    log_format: Literal["text", "json"] = Field("text", description="Form of the log: text, or json for collectors.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    @field_validator("database_url", "database_app_url", "database_reader_url")
    @classmethod
    def _postgres(cls, value: str | None) -> str | None:
        if value and not value.startswith(("postgresql://", "postgres://", "postgresql+asyncpg://")):
            raise ValueError("must begin with postgresql://")
        return value.replace("postgres://", "postgresql://", 1) if value else value

    @field_validator("alert_webhook")
    @classmethod
    def _webhook(cls, value: str | None) -> str | None:
        if value and not (urlsplit(value).scheme in ("http", "https") and urlsplit(value).hostname):
            raise ValueError("must be an address like https://alerts.example.se/samrad")
        return value

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def _collector(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value and not (parts.scheme in ("http", "https") and parts.hostname and not parts.query):
            raise ValueError("must be an address like http://collector.example.se:4318")
        return value.rstrip("/").removesuffix("/v1/traces") if value else None

    @field_validator("otel_exporter_otlp_headers")
    @classmethod
    def _headers(cls, value: str) -> str:
        for part in filter(None, (part.strip() for part in value.split(","))):
            name, given, _ = part.partition("=")
            if not given or not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name.strip()):
                raise ValueError("must be like api-key=abc,tenant=17")
        return value

    @field_validator("fernet_keys")
    @classmethod
    def _fernet(cls, value: str) -> str:
        for key in filter(None, (part.strip() for part in value.split(","))):
            try:
                whole = len(base64.urlsafe_b64decode(key)) == 32
            except ValueError:
                whole = False
            if not whole:
                raise ValueError("each Fernet key must be 32 bytes in URL-safe base64")
        return value

    @field_validator("public_origin")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        parts = urlsplit((value or "").rstrip("/"))
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
            raise ValueError("must be an address like https://ai.example.se or https://www.example.se/ai")
        return parts.geturl() if value else None

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be a time zone like Europe/Stockholm") from None
        return value

    @field_validator("backup_schedule")
    @classmethod
    def _time_of_day(cls, value: str) -> str:
        if value and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
            raise ValueError("must be a time of day like 02:30")
        return value

    @field_validator("clamav_address")
    @classmethod
    def _scanner(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value and not value.startswith("unix:/") and not (parts.scheme == "tcp" and parts.hostname and parts.port):
            raise ValueError("must be unix:/path/of/clamd.socket or tcp://host:port")
        return value

    @field_validator("outbound_allow", "crawl_allow")
    @classmethod
    def _networks(cls, value: str) -> str:
        for entry in filter(None, (part.strip() for part in value.split(","))):
            if "/" in entry:
                try:
                    ipaddress.ip_network(entry)
                except ValueError:
                    raise ValueError(
                        f"{entry} is not a network; give host, host:port or a network like 10.0.0.0/8"
                    ) from None
        return value

    @model_validator(mode="after")
    def _two_keys(self) -> Self:
        if self.super_api_key and self.super_api_key == self.super_duper_api_key:
            raise ValueError("SUPER_API_KEY and SUPER_DUPER_API_KEY must be different keys")
        return self

    @model_validator(mode="after")
    def _whole_provider(self) -> Self:
        given = (self.oidc_discovery_endpoint, self.oidc_client_id, self.oidc_client_secret)
        if any(given) and not all(given):
            raise ValueError("give OIDC_DISCOVERY_ENDPOINT, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET, or none of them")
        return self

    @model_validator(mode="after")
    def _addressed_keys(self) -> Self:
        for name in ("azure", "vllm"):
            address = getattr(self, f"{name}_endpoint")
            if bool(getattr(self, f"{name}_api_key")) != bool(address):
                raise ValueError(f"give {name.upper()}_API_KEY and {name.upper()}_ENDPOINT, or neither")
            if address:
                setattr(self, f"{name}_endpoint", address.rstrip("/"))
        return self

    @model_validator(mode="after")
    def _mail(self) -> Self:
        if self.smtp_host and not (self.smtp_from and self.public_origin):
            raise ValueError("SMTP_HOST needs SMTP_FROM (the sender) and PUBLIC_ORIGIN (where links lead)")
        return self

    @model_validator(mode="after")
    def _scheduled_backups(self) -> Self:
        if self.backup_schedule and not (self.backup_folder and self.backup_key_file):
            raise ValueError("BACKUP_SCHEDULE needs BACKUP_FOLDER and BACKUP_KEY_FILE (openssl rand -hex 32 > FILE)")
        return self

    @property
    def otel_headers(self) -> dict[str, str]:
        """The headers for the collector of traces."""
        pairs = (part.partition("=") for part in self.otel_exporter_otlp_headers.split(",") if part.strip())
        return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}

    @property
    def single_node(self) -> bool:
        """Whether everything runs on this machine alone."""
        return self.database_url is None

    @property
    def path_prefix(self) -> str:
        """The path under which a proxy shows the product (`/ai`); empty at the root of its host."""
        return urlsplit(self.public_origin or "").path

    @property
    def models_path(self) -> Path:
        """Where the built-in model's files are."""
        return self.models_dir or self.data_dir / "models" / "multilingual-e5-small"

    @property
    def secure(self) -> bool:
        """Whether people reach the product over HTTPS."""
        return bool(self.public_origin and self.public_origin.startswith("https://"))


def load(**overrides: Any) -> Settings:
    """The settings; raises `SettingsError` with one sentence for each mistake."""
    _refuse_unknown(Path(str(Settings.model_config.get("env_file"))))
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        faults = [": ".join([*(str(p).upper() for p in fault["loc"][:1]), fault["msg"]]) for fault in error.errors()]
        raise SettingsError("; ".join(faults)) from None
    return settings


def _refuse_unknown(path: Path) -> None:
    known = {name.upper() for name in Settings.model_fields}
    known |= {spelling.upper() for field in Settings.model_fields.values() for spelling in _spellings(field)}
    names = set()
    if path.exists():
        lines = path.read_text().splitlines()
        names = {
            line.split("=", 1)[0].strip().upper() for line in lines if "=" in line and not line.lstrip().startswith("#")
        }
    for name in sorted(names - known - {n.upper() for n in os.environ}):
        near = difflib.get_close_matches(name, known, 1)
        hint = f" Did you mean {near[0]}?" if near else " docs/settings.md lists all settings."
        raise SettingsError(f"the setting {name} in .env is not known.{hint}")


def _spellings(field: FieldInfo) -> list[str]:
    """The names of a setting that has several; the first is the one to use."""
    choices = field.validation_alias
    return [str(choice) for choice in choices.choices] if isinstance(choices, AliasChoices) else []


def documentation() -> str:
    """`docs/settings.md`."""
    lines = [
        "# Settings",
        "",
        "Every setting is read from the environment or from `.env`. Made by `python main.py settings`.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "") else f"`{field.default}`"
        shown = next(iter(_spellings(field)), name)
        lines.append(f"| `{shown.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"
