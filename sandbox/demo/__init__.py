"""`make demo`: the whole hub on this machine, with a sandbox in place of AWS."""
