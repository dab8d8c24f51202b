"""Hubs whose processes kill themselves at named points, and a handler that records its calls."""
