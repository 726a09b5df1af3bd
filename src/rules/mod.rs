//! Rules that a person writes: a typed tree, checked against a schema.
