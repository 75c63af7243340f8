"""Public shapes of the usage of models."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from app.api.wire.base import Wire


class ModelUsage(Wire):
    model_id: UUID
    model_name: str
    model_nickname: str
    model_org: str | None = None
    model_provider: str | None = None
    input_token_usage: int
    output_token_usage: int
    total_token_usage: int
    request_count: int


class TokenUsageSummary(Wire):
    start_date: datetime
    end_date: datetime
    models: list[ModelUsage]
    total_input_token_usage: int
    total_output_token_usage: int
    total_token_usage: int


class UserTokenUsage(Wire):
    user_id: UUID
    username: str
    email: str
    total_input_tokens: int
    total_output_tokens: int
    total_tokens: int
    total_requests: int
    models_used: list[ModelUsage] = []


class UserTokenUsageSummary(Wire):
    users: list[UserTokenUsage]
    start_date: datetime
    end_date: datetime
    total_users: int
    total_input_tokens: int
    total_output_tokens: int
    total_tokens: int
    total_requests: int


class UserTokenUsageSummaryDetail(Wire):
    user: UserTokenUsage


class UsedPublic(Wire):
    """What calls add up to; `cost` is null where no call had a price, or where they had several currencies."""

    calls: int
    failed: int
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    seconds: float
    cost: Decimal | None
    currency: str | None
    total_ms: int | None
    first_token_ms: int | None


class UsedByPublic(UsedPublic):
    """The same for one day, model, space, assistant or user; `name` is empty when it is gone."""

    key: str
    name: str


class UsagePublic(Wire):
    since: date
    until: date
    group: str
    total: UsedPublic
    items: list[UsedByPublic]


class ModelCallPublic(Wire):
    id: UUID
    created_at: datetime
    kind: str
    purpose: str
    model_id: UUID
    model_name: str
    provider_name: str
    user_id: UUID | None
    api_key_id: UUID | None
    space_id: UUID | None
    assistant_id: UUID | None
    conversation_id: UUID | None
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    cache_hit: bool
    seconds: float
    estimated: bool
    cost: Decimal | None
    currency: str | None
    first_token_ms: int | None
    total_ms: int | None
    outcome: str
    error_code: int | None


class PageOfModelCall(Wire):
    items: list[ModelCallPublic]
    count: int
    next_cursor: str | None = None
