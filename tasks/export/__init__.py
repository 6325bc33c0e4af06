"""Generated faces in the form that a trainer reads; paste-back."""
