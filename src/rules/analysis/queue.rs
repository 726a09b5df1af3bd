//! In which order the solver tries variables.

/// No variable, no clause.
pub(super) const NONE: u32 = u32::MAX;

/// The variables, those of recent conflicts last.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    pub(super) before: Vec<u32>,
    after: Vec<u32>,
    /// Ascends along the queue.
    pub(super) stamps: Vec<u64>,
    last: u32,
    /// All variables after this one have values.
    pub(super) search: u32,
    stamp: u64,
}

impl Queue {
    pub(super) fn push(&mut self) {
        let var = self.stamps.len() as u32;
        let last = if var == 0 { NONE } else { self.last };
        self.before.push(last);
        self.after.push(NONE);
        if last != NONE {
            self.after[last as usize] = var;
        }
        self.stamp += 1;
        self.stamps.push(self.stamp);
        (self.last, self.search) = (var, var);
    }

    pub(super) fn move_to_end(&mut self, var: usize) {
        if self.last as usize == var {
            return;
        }
        let (before, after) = (self.before[var], self.after[var]);
        if before != NONE {
            self.after[before as usize] = after;
        }
        if after != NONE {
            self.before[after as usize] = before;
        }
        // Variables before it are looked at next, as if it were still there.
        if self.search as usize == var {
            self.search = if before == NONE { after } else { before };
        }
        self.after[self.last as usize] = var as u32;
        (self.before[var], self.after[var]) = (self.last, NONE);
        self.last = var as u32;
        self.stamp += 1;
        self.stamps[var] = self.stamp;
    }
}
