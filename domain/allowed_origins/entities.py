"""Web sites whose pages may call the API for an organisation."""

from dataclasses import dataclass

from domain.kernel.entity import Owned


@dataclass(eq=False, kw_only=True)
class AllowedOrigin(Owned):
    """Scheme, host and port of a web site (`https://www.example.se`), whose scripts may call the API."""

    url: str
