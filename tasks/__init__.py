"""Glue between the flows and the pure parts: read a shard, call a function of `model`, write a shard."""
