"""The dashboard's state, pure: the model, how messages change it, and the rows that are cut out of it."""
