"""Datasets: their catalogue, what vouches for them, who uses them, what others are told of them."""
