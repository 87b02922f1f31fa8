"""The pages in a real browser, on a stack of their own: what a person sees and does."""
