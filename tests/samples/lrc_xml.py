"""The XML an LRC would send for a JSON message, written after section 8 of the specification."""

import json
from typing import Any
from xml.sax.saxutils import escape

NAMESPACE = "http://uri.actility.com/lora"
JSON_INSIDE = ("CustomerData", "BaseStationData", "DriverCfg")


def as_xml(document: dict[str, Any]) -> bytes:
    """Return the XML of a message; a list repeats its element."""
    ((root, content),) = document.items()
    inner = _inner(content)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">{inner}</{root}>'.encode()


def as_untyped(document: dict[str, Any]) -> dict[str, Any]:
    """Return the message as untyped JSON has it: every number a string, but not in what is JSON inside."""
    ((root, content),) = document.items()
    return {root: _untyped(content)}


def _inner(content: dict[str, Any]) -> str:
    return "".join(_element(name, value) for name, value in content.items())


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_element(name, each) for each in value)
    if name in JSON_INSIDE and isinstance(value, dict):
        text = escape(json.dumps(value, ensure_ascii=False))
    elif isinstance(value, dict):
        text = _inner(value)
    else:
        text = escape(_scalar(value), {"\r": "&#13;"})
    return f"<{name}>{text}</{name}>" if text else f"<{name}/>"


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _untyped(value: Any, name: str = "") -> Any:
    if name in JSON_INSIDE:
        return value
    if isinstance(value, dict):
        return {inner: _untyped(each, inner) for inner, each in value.items()}
    if isinstance(value, list):
        return [_untyped(each) for each in value]
    return _scalar(value)
