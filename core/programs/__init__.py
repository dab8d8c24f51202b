"""What the hub knows of the programs that call it: when their tokens were used, and whose JWTs it accepts."""
