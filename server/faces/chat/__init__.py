"""The chat door: direct chat over REST and JSON, and a stream of what happens."""
