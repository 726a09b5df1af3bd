//! Who are they? Profiles of segments.
