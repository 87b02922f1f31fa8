"""Configuration that changes while everything runs."""
