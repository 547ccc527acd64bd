"""Every error a caller or an operator can see, named by who must act, with its stable code."""

from collections.abc import Mapping
from datetime import timedelta


class LongwireError(Exception):
    """An error with a stable `code` and a message that says what to change.

    `code` is `module-number` as in the published API contract (`api-4001`); `field` is the JSON path of the member
    at fault, where one is.
    """

    code = "com-5000"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        """Keep the message as the text of the exception, and the field beside it."""
        super().__init__(message)
        self.field = field

    @property
    def details(self) -> Mapping[str, str]:
        """Return what goes into `data` of the API's error body."""
        return {} if self.field is None else {"field": self.field}


class InvalidInput(LongwireError):
    """The caller sent something that can never be accepted; `field` is the JSON path of the member."""

    code = "api-4001"

    def __init__(self, field: str, problem: str) -> None:
        """Name the field in the message too: scripts often print only that."""
        super().__init__(f"{field}: {problem}", field=field)


class NotAvailableYet(LongwireError):
    """A member of the specification that this version does not build yet: refused by name, never ignored."""

    code = "api-4002"

    def __init__(self, name: str, *, field: str | None = None) -> None:
        """Name what is missing, in the words the specification uses; `field` where the name is more than a path."""
        super().__init__(f"not available yet: {name}", field=field or name)


class RouteNotAvailableYet(LongwireError):
    """A route of the specification that this version does not build yet."""

    code = "api-5011"

    def __init__(self, name: str) -> None:
        """Name the route or the feature."""
        super().__init__(f"not available yet: {name}")


class Unauthorized(LongwireError):
    """The request carries no valid key; `challenge` says how to send one."""

    code = "api-4011"
    challenge = "Bearer"


class KeyExpired(Unauthorized):
    """The key was valid once: no guess."""

    code = "api-4012"


class Forbidden(LongwireError):
    """The key, or the Token, does not allow this."""

    code = "api-4031"


class NotFound(LongwireError):
    """The resource does not exist."""

    code = "api-4041"


class Conflict(LongwireError):
    """The resource is in a state that does not allow this."""

    code = "api-4091"


class Stale(LongwireError):
    """The caller's `If-Match` names another revision than the one that is stored."""

    code = "api-4121"


class TooLarge(LongwireError):
    """The request, or one part of it, is over a limit."""

    code = "api-4131"


class UnsupportedMediaType(LongwireError):
    """The body is not of a type this route reads."""

    code = "api-4151"


class TooManyRequests(LongwireError):
    """The caller asks for too much at once, or too often, or with wrong keys; `wait` says when to come back."""

    code = "api-4291"

    def __init__(self, message: str, wait: timedelta = timedelta(seconds=5)) -> None:
        """Keep the wait beside the message."""
        super().__init__(message)
        self.wait = wait


class StorageUnavailable(LongwireError):
    """The store cannot commit now (disk full, locked, overloaded); the sender must try again."""

    code = "com-5031"


class Misconfigured(LongwireError):
    """The operator must change a setting or a file before Longwire can start."""

    code = "cfg-1"
