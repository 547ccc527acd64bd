"""Longwire: LoRaWAN uplinks to HTTP: durable, ordered, observed. Start reading in ARCHITECTURE.md."""

__version__ = "0.1.0"
