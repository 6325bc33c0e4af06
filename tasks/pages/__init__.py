"""Pages to look at: the gallery, the report of a set, their templates."""
