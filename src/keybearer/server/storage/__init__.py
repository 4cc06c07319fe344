"""SQL: tables, engine, and one module per noun."""
