"""What our API is measured against: other servers that answer the same questions."""
