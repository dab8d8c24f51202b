"""What became of work between hubs: the answer, then one live time line, for sent and received dispatches."""
