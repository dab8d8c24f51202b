"""English, for which Django's own are American."""
