"""The composer: one page on which staff describe work, pick a peer and its agent, set limits, look, and dispatch."""
