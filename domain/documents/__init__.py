"""Documents: what an inbox record says, which version is visible, what is on its way, what stands still."""
