"""The schema, as numbered SQL scripts: `NNNN_name.sql` is run once, in order, and recorded in `user_version`."""
