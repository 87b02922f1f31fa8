"""Deployment files and generated pages against the code."""
