"""What runs: one lane for each active connection, and the supervisor that keeps them equal to the configuration."""
