"""Named sets: their faces, rows by key, photos, splits, licences, verification."""
