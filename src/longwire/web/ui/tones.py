"""The look of each state, outcome and level: its tone (a class of the stylesheet) and its icon."""

from collections.abc import Mapping

TONES: Mapping[str, str] = {
    "OPENED": "ok",
    "OPENING": "busy",
    "AUTHENTICATING": "busy",
    "CLOSING": "busy",
    "CLOSED": "bad",
    "AUTHENTICATION_FAILED": "bad",
    "UNREACHABLE": "warn",
    "DEACTIVATED": "off",
    "QUEUED": "busy",
    "DELIVERED": "ok",
    "LOST": "bad",
    "REJECTED": "bad",
    "FAILED": "bad",
    "EXPIRED": "warn",
    "FILTERED": "off",
    "DISCARDED": "off",
    "debug": "off",
    "info": "ok",
    "warn": "warn",
    "error": "bad",
}

ICONS: Mapping[str, str] = {
    "OPENED": "opened",
    "OPENING": "busy",
    "AUTHENTICATING": "lock",
    "CLOSING": "busy",
    "CLOSED": "closed",
    "AUTHENTICATION_FAILED": "lock",
    "UNREACHABLE": "ask",
    "DEACTIVATED": "paused",
    "QUEUED": "clock",
    "DELIVERED": "check",
    "LOST": "x",
    "REJECTED": "closed",
    "FAILED": "warn",
    "EXPIRED": "clock",
    "FILTERED": "paused",
    "DISCARDED": "trash",
    "debug": "info",
    "info": "info",
    "warn": "warn",
    "error": "closed",
}
