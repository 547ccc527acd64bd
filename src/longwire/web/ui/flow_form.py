"""The form of a flow: which devices it matches, and what becomes of that in the API's document."""

from collections.abc import Mapping
from typing import Any

SHOWN = 5
"""Devices of a flow that are listed; the rest are counted."""
_REF = ("producerId", "moduleId", "version")


def flow_document(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the body of a POST; a form that names no devices gives every device that no other flow matches."""
    connector = {"connectionId": form.get("connection", "")}
    if validity := form.get("validity", "").strip():
        connector["uplinkTimeValidity"] = validity
    name = form.get("name", "").strip()
    return {**({"name": name} if name else {}), "matchers": _matchers(form), "connectors": [connector]}


def matchers_in_words(flow: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a flow matches, each as a kind and its value; nothing for the rest of the devices."""
    matchers = flow.get("matchers") or []
    words = [each for matcher in matchers[:SHOWN] for each in _in_words(matcher)]
    more = len(matchers) - SHOWN
    return words if more <= 0 else [*words, (f"and {more:,} more", "")]


def _matchers(form: Mapping[str, str]) -> list[dict[str, Any]]:
    devices = form.get("devices", "").replace(",", " ").split()
    thing = {
        "tags": [each.strip() for each in form.get("tags", "").split(",") if each.strip()],
        "model": _ref(form.get("model", "")),
        "application": _ref(form.get("application", "")),
    }
    asked = {name: value for name, value in thing.items() if value}
    things = [{"type": "thing", **asked}] if asked else []
    return [*({"type": "key", "key": f"lora:{each}"} for each in devices), *things]


def _ref(text: str) -> dict[str, str]:
    """Return a driver's reference of `producer:module:version`; a part that is left out is not compared."""
    parts = [each.strip() for each in text.split(":", 2)]
    return {name: part for name, part in zip(_REF, parts, strict=False) if part}


def _in_words(matcher: Mapping[str, Any]) -> list[tuple[str, str]]:
    if matcher["type"] == "key":
        return [("", matcher["key"].removeprefix("lora:"))]
    words = [("tagged", ", ".join(matcher["tags"]))] if matcher.get("tags") else []
    refs = [(kind, matcher[kind]) for kind in ("model", "application") if matcher.get(kind)]
    return words + [(kind, ":".join(ref.get(name, "") for name in _REF)) for kind, ref in refs]
