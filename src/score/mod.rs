//! Scores of customers: RFM codes, ranks, weighted composites.
