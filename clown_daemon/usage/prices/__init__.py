"""The price table that is shipped, `table.json`, and the program that writes it; the daemon never runs that."""
