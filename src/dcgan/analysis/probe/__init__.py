"""What features are worth: a linear classifier on top of them, and the controls that it has to beat."""
