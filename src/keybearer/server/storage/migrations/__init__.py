"""The history of the schema. Alembic runs it through `schema.migrate`."""
