//! From raw transactions to one row for each customer.
