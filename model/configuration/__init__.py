"""Settings from a mapping and as text: frozen dataclasses, validated by name, type and bounds."""
