"""What the hub does with its peers: each module one concern, each function one thing that can be asked for."""
