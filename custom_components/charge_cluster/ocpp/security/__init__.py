"""Certificates of the central system and of charge points: reading, checking, issuing, and what TLS is made of them."""
