"""What listens: ingest, the REST API, health. Never imports the engine."""
