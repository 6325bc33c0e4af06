"""What `import mien` offers to a program or a notebook: a generator to call, and sets to read."""
