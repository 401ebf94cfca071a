"""The search index: what pages, API and searches ask for, derived from the chain and from `index.sqlite`."""
