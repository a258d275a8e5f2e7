"""Looking inside: what D's features look for, what G's maps draw, and what a picture loses without some of them."""
