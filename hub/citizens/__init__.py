"""Citizens' own things: the page to their rating, and their data until it is erased."""
