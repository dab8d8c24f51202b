"""Attacks on the messages between two hubs, and the comparison of what the two hubs' books say of them."""
