"""Formats for English, in place of Django's American formats."""
