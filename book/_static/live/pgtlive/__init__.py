"""Python in the page: `page` finds what a cell needs, `cells` runs it, `shown` says what it shows."""
