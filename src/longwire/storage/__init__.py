"""What survives a restart: one database, one writer, the queue, configurations, the delivery log."""
