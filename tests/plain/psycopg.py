"""Stands before PostgreSQL's driver where a program is tried as a plain install has it: without."""

raise ImportError("A plain install has no driver.")
