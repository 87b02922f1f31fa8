"""What must hold over a whole history, one promise a function: pure, ``RunEvidence -> violations``."""
