"""The history of the schema, run by Alembic through `schema.migrate`."""
