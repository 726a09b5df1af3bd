//! The solver against all assignments.

use super::*;
use crate::random::Random;

#[test]
fn answers_and_blame_are_those_of_all_assignments() {
    let mut random = Random::new(5, 0);
    let mut counts = [0; 2];
    for round in 0..500 {
        let n = 3 + random.below(8);
        let mut solver = Solver::default();
        let vars: Vec<Lit> = (0..n).map(|_| solver.var()).collect();
        let mut draw = |most: usize| -> Vec<Lit> {
            let of = |random: &mut Random| {
                let lit = vars[random.below(n)];
                if random.below(2) == 0 { lit } else { !lit }
            };
            (0..1 + random.below(most)).map(|_| of(&mut random)).collect()
        };
        let n_clauses = n + round % (4 * n);
        let mut clauses = Vec::new();
        let agrees =
            |bits: u32, lit: Lit| (bits >> lit.var() & 1 == 1) != lit.is_negated();
        // Questions between clauses, so that what was learned is used again.
        for _ in 0..n_clauses {
            let clause = draw(4);
            solver.clause(&clause);
            clauses.push(clause);
            let assumed = draw(4);
            // Wishes change no answer.
            solver.prefer(assumed[0]);
            let models: Vec<u32> = (0..1 << n)
                .filter(|&bits| {
                    clauses.iter().all(|c| c.iter().any(|&l| agrees(bits, l)))
                })
                .collect();
            let is_possible = |assumed: &[Lit]| {
                models.iter().any(|&bits| assumed.iter().all(|&l| agrees(bits, l)))
            };
            let outcome = solver.solve(&assumed, u64::MAX);
            counts[usize::from(is_possible(&assumed))] += 1;
            match outcome {
                Outcome::Possible => {
                    let bits = vars
                        .iter()
                        .enumerate()
                        .map(|(i, &var)| u32::from(solver.holds(var)) << i)
                        .sum();
                    assert!(models.contains(&bits));
                    assert!(assumed.iter().all(|&l| agrees(bits, l)));
                }
                Outcome::Impossible(core) => {
                    assert!(!is_possible(&core), "{core:?} of {assumed:?}");
                    assert!(core.iter().all(|lit| assumed.contains(lit)));
                }
                Outcome::Spent => unreachable!(),
            }
        }
    }
    assert!(counts.iter().all(|&n| n > 200), "{counts:?}");
}

#[test]
fn what_is_hard_stops_when_the_steps_are_used_up() {
    // More pigeons than holes: short to say, exponentially long to prove.
    let mut solver = Solver::default();
    let n = 9;
    let sits: Vec<Vec<Lit>> =
        (0..=n).map(|_| (0..n).map(|_| solver.var()).collect()).collect();
    for pigeon in &sits {
        solver.clause(pigeon);
    }
    for (a, pigeon) in sits.iter().enumerate() {
        for other in &sits[..a] {
            for (&here, &there) in pigeon.iter().zip(other) {
                solver.clause(&[!here, !there]);
            }
        }
    }
    assert_eq!(solver.solve(&[], 20_000), Outcome::Spent);
    assert!(solver.steps() < 100_000);
    assert_eq!(solver.solve(&[], 20_000), Outcome::Spent);
}

#[test]
fn restarts_follow_the_sequence() {
    let expected = [1, 1, 2, 1, 1, 2, 4, 1, 1, 2, 1, 1, 2, 4, 8];
    assert_eq!((1..=15).map(luby).collect::<Vec<_>>(), expected);
}
