"""How the tables of the search index came to be, one file a step, run by alembic."""
