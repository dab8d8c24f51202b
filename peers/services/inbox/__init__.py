"""Inbox: messages from peers, the events that they make for handlers, and the reports of handlers on their work."""
