"""How a model is to answer: which settings there are, their ranges, and which models take them."""

from collections.abc import Mapping
from typing import Any

from domain.kernel.errors import N_, Invalid
from domain.models.choice import CompletionChoice
from domain.models.entities import ProviderType

SETTINGS: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
    "top_k": (1, 1000),
}
WORD_SETTINGS = {
    "reasoning_effort": ("none", "minimal", "low", "medium", "high"),
    "verbosity": ("low", "medium", "high"),
}
_OPENAI = {ProviderType.OPENAI, ProviderType.AZURE}
_PENALTIES = {"presence_penalty", "frequency_penalty"}
REFUSED: Mapping[ProviderType, frozenset[str]] = {
    ProviderType.OPENAI: frozenset({"top_k"}),
    ProviderType.AZURE: frozenset({"top_k"}),
    ProviderType.MISTRAL: frozenset({"top_k", "verbosity"}),
    ProviderType.ANTHROPIC: frozenset({*_PENALTIES, "verbosity"}),
    ProviderType.GEMINI: frozenset({"verbosity"}),
    ProviderType.COHERE: frozenset({"verbosity"}),
}
"""What the interface of a provider does not know; servers that speak OpenAI's know what their models do."""
HIGHEST_TEMPERATURE = {ProviderType.ANTHROPIC: 1.0, ProviderType.COHERE: 1.0}


def clean_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Model settings within their ranges, without empty ones; raises `Invalid` with the field."""
    cleaned: dict[str, Any] = {}
    for key, value in values.items():
        if value is None:
            continue
        if key in SETTINGS:
            low, high = SETTINGS[key]
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise Invalid(N_("Give a number from {low} to {high}."), field=key, low=low, high=high)
        elif key in WORD_SETTINGS:
            if value not in WORD_SETTINGS[key]:
                raise Invalid(N_("Choose one of the listed values."), field=key)
        elif key != "response_format" or not isinstance(value, dict):
            raise Invalid(N_("This setting is not known."), field=key)
        cleaned[key] = value
    return cleaned


def takes(choice: CompletionChoice, setting: str) -> bool:
    """Whether a model takes a setting. The built-in one takes none: it quotes."""
    provider, reasons = ProviderType(choice.provider.type), choice.model.reasoning
    if provider == ProviderType.BUILTIN:
        return False
    if setting == "reasoning_effort":
        return reasons
    if provider in _OPENAI and reasons and setting in {"temperature", "top_p", *_PENALTIES}:
        return False
    return setting not in REFUSED.get(provider, frozenset())


def highest_temperature(choice: CompletionChoice) -> float:
    """The highest temperature that a model takes."""
    return HIGHEST_TEMPERATURE.get(ProviderType(choice.provider.type), SETTINGS["temperature"][1])


def not_taken(choice: CompletionChoice, settings: Mapping[str, Any]) -> list[str]:
    """The settings that a model does not take, in order."""
    return sorted(name for name in settings if not takes(choice, name))


def require_taken(choice: CompletionChoice, settings: Mapping[str, Any]) -> None:
    """Raise `Invalid` when a model does not take a setting. For the built-in one they wait until another is chosen."""
    if choice.provider.type == ProviderType.BUILTIN:
        return
    name = choice.model.nickname
    for setting in not_taken(choice, settings):
        if setting == "reasoning_effort":
            text = N_(
                "The AI model {model} does not reason, so it takes no effort. Leave it out, or choose another model."
            )
        else:
            text = N_("The AI model {model} does not take this setting. Leave it out, or choose another model.")
        raise Invalid(text, field=setting, model=name)
    highest = highest_temperature(choice)
    if settings.get("temperature", 0) > highest:
        text = N_("The AI model {model} takes a temperature of at most {highest}.")
        raise Invalid(text, field="temperature", model=name, highest=highest)
