//! Rules and books of rules.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod analysis;
mod analysis_claims;
mod batch;
mod behaviour;
mod checks;
mod computed;
mod corpus;
mod definitions;
mod depth;
mod digests;
mod evaluation;
mod events;
mod habits;
mod import;
mod json;
mod json_beside_serde;
mod jumps;
mod live;
mod live_cases;
mod live_stays;
mod live_zones;
mod nested;
mod overlap;
mod pin;
mod points;
mod properties;
mod revisions;
mod scores;
mod snapshots;
mod sql;
mod stays;
mod text;
mod why;

use segmenta::data::{FeatureSpec, Schema};
use segmenta::rules::{RuleSegmenter, RuleSet, field};

fn schema() -> Schema {
    Schema::new([
        FeatureSpec::number("orders"),
        FeatureSpec::flag("opted_out"),
        FeatureSpec::category("country").levels(["DE", "AT", "CH"]),
        FeatureSpec::category("city"),
        FeatureSpec::ordinal("tier", ["bronze", "silver", "gold"]),
        FeatureSpec::date("last_order"),
        FeatureSpec::tags("interests"),
        FeatureSpec::tags("channels").levels(["web", "shop", "phone"]),
    ])
    .unwrap()
}

fn segmenter() -> RuleSegmenter {
    definition().compile(&schema()).unwrap()
}

fn definition() -> RuleSet {
    RuleSet::new()
        .segment("gold", "Gold tier", field("tier").eq("gold"))
        .segment(
            "loyal",
            "Loyal customers",
            field("orders").ge(3) & !field("opted_out").eq(true),
        )
        .segment("austria", "Austrians", field("country").eq("AT"))
        .rest("other", "Everyone else")
}
