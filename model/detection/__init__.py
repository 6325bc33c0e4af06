"""What finds faces: the interface of a detector, its kinds, their loading, the licences of their weights."""
