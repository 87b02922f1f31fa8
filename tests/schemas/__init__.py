"""What is said: settings, errors, ids."""
