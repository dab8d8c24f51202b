"""What a person keeps about the lists of the admin: saved views and hidden columns."""
