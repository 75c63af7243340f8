"""What Samråd is, in plain Python: no framework, no database, no network."""
