"""What the product is made of: its locked components, their licences, and the advisories about them."""
