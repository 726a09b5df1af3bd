//! Explanations for those who may not see all values.

use crate::data::{FeatureSpec, OwnedValue, Schema, Sensitivity};
use crate::rules::{Otherwise, Why};
use crate::segmenter::{
    Assignment, ClauseResult, Contribution, Explanation, Part, Reason,
};

/// What stands in the place of a value, as a category.
const MASK: &str = "[masked]";

impl Explanation {
    /// The same without what it tells of features that are more sensitive than this. A name that
    /// the schema does not have counts as such.
    ///
    /// - A test of a rule says only at what it looks, not what it asks, what was observed, or
    ///   what was wrong with it.
    /// - The value of a contribution becomes the category `[masked]`; what is typical is left
    ///   out, and so are its cost and margin (0), the
    ///   cost and margin of the assignment (0 and infinity), those of all
    ///   segments, and the runner-up: from these the value could be computed.
    /// - The axis of a score is left out, if it is not the name of a feature that may be seen.
    /// - The customer who stands for a merged segment is left out, if personal data may not be
    ///   seen.
    ///
    /// Segments and the truth of clauses stay. Whoever knows the rules learns from these
    /// what they ask.
    ///
    /// ```
    /// use segmenta::data::{FeatureSpec, OwnedCustomer, Schema, Sensitivity};
    /// use segmenta::rules::{RuleBook, field};
    /// use segmenta::segmenter::Segmenter;
    ///
    /// let age = FeatureSpec::number("age").sensitivity(Sensitivity::Personal);
    /// let schema = Schema::new([FeatureSpec::number("orders"), age])?;
    /// let book = RuleBook::builder(&schema)
    ///     .segment("a", "A", field("orders").ge(3) & field("age").lt(30))
    ///     .build()?;
    /// let ann = OwnedCustomer::new(&schema, 1).set("orders", 7.0)?.set("age", 41.0)?;
    /// let explanation = book.explain(&ann)?;
    /// assert!(explanation.to_string().contains("age < 30 (has 41)"));
    /// let masked = explanation.masked(&schema, Sensitivity::Internal).to_string();
    /// assert!(masked.contains("orders >= 3 (has 7)"));
    /// assert!(masked.contains("no      a test of `age` (has [masked])"));
    /// # Ok::<(), segmenta::Error>(())
    /// ```
    #[must_use]
    pub fn masked(&self, schema: &Schema, most: Sensitivity) -> Explanation {
        let may = May { schema, most };
        may.explanation(self).0
    }
}

impl Why {
    /// The same without what its tests ask of features that are more sensitive than this, as
    /// [`Explanation::masked`].
    #[must_use]
    pub fn masked(&self, schema: &Schema, most: Sensitivity) -> Why {
        let may = May { schema, most };
        let clause = |clause: &ClauseResult| may.clause(clause);
        let otherwise = |other: &Otherwise| Otherwise {
            clause: clause(&other.clause),
            needed: other.needed,
        };
        Why {
            because: self.because.iter().map(clause).collect(),
            unless: self.unless.as_ref().map(|all| all.iter().map(otherwise).collect()),
            ..*self
        }
    }
}

/// What may be seen.
struct May<'a> {
    schema: &'a Schema,
    most: Sensitivity,
}

impl May<'_> {
    /// Whether what has this name may be seen, whatever it is.
    fn see(&self, name: &str) -> bool {
        let features = self.schema.features().iter().filter(|spec| spec.name() == name);
        let mut all: Vec<Sensitivity> =
            features.map(FeatureSpec::get_sensitivity).collect();
        for stream in self.schema.streams() {
            let Some(rest) = name.strip_prefix(stream.name()) else { continue };
            match rest.strip_prefix('.') {
                None if rest.is_empty() => all.push(Sensitivity::default()),
                None => {}
                Some(name) => {
                    let found = stream.properties().iter().find(|p| p.name() == name);
                    all.extend(found.map(FeatureSpec::get_sensitivity));
                }
            }
        }
        all.iter().max().is_some_and(|sensitivity| *sensitivity <= self.most)
    }

    fn clause(&self, clause: &ClauseResult) -> ClauseResult {
        if clause.reads.iter().all(|name| self.see(name)) {
            return clause.clone();
        }
        let names: Vec<String> =
            clause.reads.iter().map(|name| format!("`{name}`")).collect();
        ClauseResult {
            text: format!("a test of {}", names.join(", ")),
            observed: clause.observed.as_ref().map(|_| mask()),
            ..clause.clone()
        }
    }

    /// A masked explanation, and whether numbers were left out of it.
    fn explanation(&self, explanation: &Explanation) -> (Explanation, bool) {
        let mut masked = explanation.clone();
        let mut is_cut = false;
        for contribution in &mut masked.contributions {
            if !self.see(&contribution.feature) {
                is_cut = true;
                *contribution = Contribution {
                    feature: contribution.feature.clone(),
                    value: mask(),
                    typical: None,
                    cost: 0.0,
                    margin: 0.0,
                };
            }
        }
        match &mut masked.reason {
            Reason::Rules { clauses } => {
                clauses.iter_mut().for_each(|clause| *clause = self.clause(clause));
            }
            Reason::Scores { axes } => {
                let n_before = axes.len();
                axes.retain(|axis| self.see(&axis.axis));
                is_cut |= axes.len() < n_before;
            }
            Reason::Parts { parts } => {
                for Part { explanation, .. } in parts {
                    let (part, is_part_cut) = self.explanation(explanation);
                    *explanation = part;
                    is_cut |= is_part_cut;
                }
            }
            Reason::Merge { exemplar, .. } if self.most < Sensitivity::Personal => {
                *exemplar = None;
            }
            _ => {}
        }
        if is_cut {
            let segment = masked.assignment.segment();
            masked.assignment = segment.map_or(Assignment::none(), Assignment::certain);
            (masked.runner_up, masked.runner_up_name) = (None, None);
            if let Reason::Nearest { costs } | Reason::Merge { costs, .. } =
                &mut masked.reason
            {
                costs.clear();
            }
        }
        (masked, is_cut)
    }
}

fn mask() -> OwnedValue {
    OwnedValue::Category(MASK.to_owned())
}
