"""Logs: events with fields, named `component.entity.action`, past tense. Every name this program uses is here."""

import logging
import sys
from typing import Any

import structlog

STORAGE_OPENED = "storage.database.opened"
STORAGE_COMMIT_FAILED = "storage.commit.failed"
STORAGE_DEVICES_LEFT_OUT = "storage.devices.left_out"
STORAGE_PURGED = "storage.log.purged"
SERVER_STARTED = "server.listener.started"
SERVER_STOPPED = "server.listener.stopped"
SERVER_REQUEST_FAILED = "server.request.failed"
SERVER_PUBLIC_URL_GUESSED = "server.public_url.guessed"
SERVER_ADDRESS_LIMITED = "server.address.limited"
EVENT_TOLD = "events.event.told"
HOUSEKEEPING_CRASHED = "housekeeping.work.crashed"
LANE_RUN_CRASHED = "lane.run.crashed"
LANE_DELIVERY_CRASHED = "lane.delivery.crashed"
DOWNLINK_CRASHED = "lane.downlink.crashed"
LANE_STORAGE_WAITED = "lane.storage.waited"

_events = structlog.get_logger()


def configure(log_format: str) -> None:
    """Write events to standard error: as `text` for people, or as `json`, one object a line."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )


def info(event: str, **fields: Any) -> None:
    """Write an event of normal life."""
    _events.info(event, **fields)


def warning(event: str, **fields: Any) -> None:
    """Write an event the operator may want to act on."""
    _events.warning(event, **fields)


def error(event: str, **fields: Any) -> None:
    """Write an event that should not happen; inside an `except` block the traceback goes with it."""
    _events.error(event, exc_info=sys.exc_info()[0] is not None, **fields)
