//! Recency, frequency, monetary: quantile scores and named segments.
