"""Hubs whose processes kill themselves at named points, and the handler that writes down what it was called for."""
