"""What the page does in Python: `names` finds what a cell needs, `cells` runs it, `shown` says what it shows."""
