"""Forgetting: what a root holds of a person is found, removed everywhere, and a receipt says so."""
