"""How work runs, not what it does: worker processes, progress, fan-out over shards."""
