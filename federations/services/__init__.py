"""What the hub does: each module one concern, each function one thing that a person or a program can ask for."""
