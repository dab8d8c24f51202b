"""`make demo`: two hubs on this machine, with the sandbox in place of AWS."""
