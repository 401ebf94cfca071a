"""A push: what it asks for, whether it may, and the answer. No libgit2 on its way."""
