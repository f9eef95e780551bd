-- Which file the log was last opened in: a copy of it is another log, since the two go on differently.
ALTER TABLE log_identity ADD COLUMN inode INTEGER;
