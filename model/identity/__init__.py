"""Who is who, by embeddings: clustering people and checking labels."""
