"""The settings: one frozen value, read once at start from `LONGWIRE_*` and, where given, a TOML file."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from longwire.core.errors import Misconfigured

PREFIX = "LONGWIRE_"
_SHORTEST_KEY = 16
_LOWEST = {
    "max_requests_per_minute": 0,
    "max_failed_logins_per_minute": 0,
    "keep_delivered_hours": 1,
    "keep_dead_letters_days": 1,
    "keep_audit_days": 1,
    "keep_backlog_days": 1,
}
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting; the environment's name is `LONGWIRE_` and the field's name in capitals."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = 8080
    """The TCP port to listen on."""
    data: Path = Path("./var")
    """The folder that holds everything that must survive."""
    public_url: str | None = None
    """How others reach this server; default http://localhost:PORT."""
    resolver: str | None = None
    """A DNS server for every lookup, `address:port`; default the system's."""
    owner_key: str | None = None
    """An owner key, at least 16 characters; default: one is made at the first start."""
    secret_key: str | None = None
    """Seals secrets at rest, at least 16 characters; default: the file secret.key in the data folder."""
    allow_destinations: str = ""
    """Destinations beyond the public internet: CIDRs, addresses, `private`, `loopback`, comma separated."""
    max_requests_per_minute: int = 6000
    """How often one key may call the API, all at once if it likes; 0: no limit."""
    max_failed_logins_per_minute: int = 30
    """How often one address may send a wrong key; 0: no limit."""
    url: str | None = None
    """For the commands that call a running server: where it is; default http://localhost:PORT."""
    key: str | None = None
    """For the commands that call a running server: a key; default OWNER_KEY, else the file owner.key."""
    downlink_needs_key: bool = False
    """Whether a downlink needs a key that may send downlinks, besides its connection's address."""
    metrics_public: bool = False
    """Whether `/metrics` may be read without a key: `true` or `false`."""
    log_format: str = "text"
    """`text` or `json`."""
    keep_delivered_hours: int = 24
    """How long the log keeps delivered messages."""
    keep_dead_letters_days: int = 30
    """How long the log keeps dead letters and filtered messages."""
    keep_audit_days: int = 365
    """How long the audit log is kept."""
    keep_backlog_days: int = 7
    """How long a message may wait before it is EXPIRED."""

    @property
    def base_url(self) -> str:
        """Return how others reach this server, without a slash at the end."""
        return (self.public_url or f"http://localhost:{self.port}").rstrip("/")


def read_variable(name: str) -> str | None:
    """Return a variable of the environment that a file of ours refers to."""
    return os.environ.get(name)


def load_settings(file: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings: the environment wins over the file.

    Raises Misconfigured for an unknown name or a value that cannot be meant.
    """
    values: dict[str, Any] = dict(_from_file(file)) if file else {}
    values.update(_from_environment(os.environ if environment is None else environment))
    typed = {
        field.name: _typed(field.name, field.type, values.pop(field.name))
        for field in fields(Settings)
        if field.name in values
    }
    if values:
        names = ", ".join(sorted(PREFIX + name.upper() for name in values))
        known = ", ".join(PREFIX + field.name.upper() for field in fields(Settings))
        raise Misconfigured(f"unknown setting {names}; known are {known}")
    settings = Settings(**typed)
    _check(settings)
    return settings


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"the settings file {file} cannot be read: {error}") from error


def _typed(name: str, kind: Any, value: Any) -> Any:
    if kind is int:
        try:
            return int(value)
        except (TypeError, ValueError) as error:
            raise Misconfigured(f"{PREFIX}{name.upper()}: expected a whole number, got {value!r}") from error
    if kind is bool:
        if str(value).lower() not in _BOOLEANS:
            raise Misconfigured(f"{PREFIX}{name.upper()}: expected true or false, got {value!r}")
        return _BOOLEANS[str(value).lower()]
    return Path(str(value)) if kind is Path else str(value)


def _check(settings: Settings) -> None:
    if not 1 <= settings.port <= 65535:  # noqa: PLR2004
        raise Misconfigured(f"{PREFIX}PORT: expected 1..65535, got {settings.port}")
    if settings.log_format not in {"text", "json"}:
        raise Misconfigured(f"{PREFIX}LOG_FORMAT: expected text or json, got {settings.log_format!r}")
    if not settings.base_url.startswith(("http://", "https://")):
        raise Misconfigured(f"{PREFIX}PUBLIC_URL: must begin with http:// or https://")
    for name in ("owner_key", "secret_key"):
        key = getattr(settings, name)
        if key is not None and len(key) < _SHORTEST_KEY:
            raise Misconfigured(f"{PREFIX}{name.upper()}: expected at least {_SHORTEST_KEY} characters")
    for name, lowest in _LOWEST.items():
        if getattr(settings, name) < lowest:
            raise Misconfigured(f"{PREFIX}{name.upper()}: expected at least {lowest}")
