"""Public shapes of settings."""

from typing import Any

from app.api.wire.base import Wire


class SettingsPublic(Wire):
    chatbot_widget: dict[str, Any] = {}
    using_templates: bool = False
    tenant_credentials_enabled: bool = False
    audit_logging_enabled: bool = False
    provisioning: bool = False


class PageOfStr(Wire):
    items: list[str]
    count: int


class TemplateSettingUpdate(Wire):
    enabled: bool
