//! What the library says of the purchases, step by step.

use segmenta::data::Date;
use segmenta::history::{Holdout, Ledger, LedgerOptions, TimeUnit};
use segmenta::lifetime::{
    AnyPurchaseModel, ChurnScorer, GammaGamma, LifetimeTiers, LifetimeValue,
    ModelComparison, PurchaseHistories, calibration_by_frequency, independence_check,
    lifetime_table, spend_histories,
};
use segmenta::monitor::{
    CohortOptions, CohortTable, Cohorts, KaplanMeier, LogRankWeights, Period, Retention,
    log_rank_test, times_to_nth_purchase,
};
use segmenta::{Fit, Result, Segmenter};

use super::purchases::Purchases;

/// What is drawn.
pub(crate) struct Study {
    pub(crate) cohorts: CohortTable,
    pub(crate) curves: Vec<(String, KaplanMeier)>,
}

pub(crate) fn study(purchases: &Purchases) -> Result<Study> {
    let mut ledger = Ledger::new(LedgerOptions::new())?;
    for ((&customer, &day), &cents) in
        purchases.customers.iter().zip(&purchases.days).zip(&purchases.cents)
    {
        ledger.add(customer, Date::from_days(day)?, cents)?;
    }
    let first = purchases.days.iter().copied().min().unwrap_or(0);
    let last = purchases.until.days_since_epoch();
    let middle = Date::from_days(first + (last - first) / 2)?;

    let holdout = ledger.holdout(middle, purchases.until)?;
    let model = fit_and_compare(&holdout)?;
    calibrate(&holdout, model)?;
    value(&ledger, purchases)?;
    let curves = second_purchase(purchases)?;
    let cohorts = cohorts(purchases)?;
    Ok(Study { cohorts, curves })
}

fn heading(text: &str) {
    println!("\n{text}\n{}", "-".repeat(text.chars().count()));
}

/// Estimates all models on the first half, and takes the best.
fn fit_and_compare(holdout: &Holdout) -> Result<AnyPurchaseModel> {
    let summary = holdout.calibration();
    heading(&format!(
        "models of purchases, {} customers until {}",
        summary.len(),
        summary.as_of()
    ));
    let histories = PurchaseHistories::from_summary(summary, TimeUnit::Week)?;
    let comparison = ModelComparison::of(&histories)?;
    println!("{comparison}\n");
    let best = comparison.into_best();
    println!("{}", best.report());
    Ok(best.into_model())
}

/// Is it right about the second half, and does it rank better than plain figures do?
fn calibrate(holdout: &Holdout, model: AnyPurchaseModel) -> Result<()> {
    let weeks = TimeUnit::Week.of_days(f64::from(holdout.days()));
    heading(&format!("the {weeks:.0} weeks until {} tell", holdout.end()));
    let histories =
        PurchaseHistories::from_summary(holdout.calibration(), TimeUnit::Week)?;
    let actual: Vec<u64> = holdout.iter().map(|customer| customer.purchases()).collect();
    println!("{:>9} {:>9} {:>8} {:>9}", "repeats", "customers", "actual", "expected");
    for row in calibration_by_frequency(&model, &histories, &actual, weeks, 7)? {
        let more = if row.frequency == 7 { "+" } else { "" };
        println!(
            "{:>9} {:>9} {:>8.3} {:>9.3}",
            format!("{}{more}", row.frequency),
            row.n_customers,
            row.actual,
            row.expected
        );
    }
    let scorer = ChurnScorer::new(model, &histories, weeks)?;
    println!("\n{}", scorer.evaluate(&histories, &actual)?);
    Ok(())
}

/// Worth in the next year, on all that is known; and who is about to be lost.
fn value(ledger: &Ledger, purchases: &Purchases) -> Result<()> {
    let summary = ledger.summary(purchases.until)?;
    heading(&format!("value of the next twelve months, as of {}", summary.as_of()));
    let (spends, worthless) = spend_histories(&summary)?;
    let check = independence_check(&spends)?;
    println!(
        "spend and frequency: correlation {:.3}, of ranks {:.3}, eta squared {:.3}: {}",
        check.pearson,
        check.spearman,
        check.eta_squared,
        if check.holds() { "independent enough" } else { "not independent, so beware" }
    );
    println!("{}", GammaGamma::fit(&spends)?.report());
    if worthless > 0 {
        println!("{worthless} customers bought again for nothing, and were left out");
    }

    let year = LifetimeValue::new(12.0, TimeUnit::Month).annual_discount_rate(0.1);
    let table = lifetime_table(&summary, TimeUnit::Week)?;
    let fitted = LifetimeTiers::by_value(year).fit(&table)?;
    for note in &fitted.report().notes {
        println!("note: {note}");
    }
    let model = fitted.model();
    let least = model.cut_points().iter().map(|cut| format!("{cut:.2} and more"));
    let least = least.chain(["less".to_owned()]);
    for (segment, least) in model.segments().iter().zip(least) {
        println!(
            "{:>8}: {:>6} customers ({:.1} %), each worth {least}",
            segment.name,
            segment.size.unwrap_or(0),
            100.0 * segment.share.unwrap_or(0.0)
        );
    }

    let histories = PurchaseHistories::from_summary(&summary, TimeUnit::Week)?;
    let scorer = ChurnScorer::new(*model.purchases(), &histories, 26.0)?;
    let at_risk = scorer.at_risk(&histories, 0.5, 3)?;
    heading(&format!("at risk: {} who bought four times and more", at_risk.len()));
    let name = |at: usize| {
        let id = summary.get(at).map(|customer| customer.id().to_string());
        let at = id.and_then(|id| id.parse::<usize>().ok());
        at.and_then(|at| purchases.names.get(at)).map_or("?", String::as_str)
    };
    for (at, score) in at_risk.iter().take(5) {
        println!("{}: {score}", name(*at));
    }
    Ok(())
}

/// Does a larger first basket bring customers back sooner?
fn second_purchase(purchases: &Purchases) -> Result<Vec<(String, KaplanMeier)>> {
    use segmenta::history::Occasion;
    heading("weeks to the second purchase, by the size of the first");
    let (customers, days) = (&purchases.customers, &purchases.days);
    let times =
        times_to_nth_purchase(customers, days, 2, Occasion::Days, purchases.until)?;

    // The money of the first day of each customer, who are ascending in `times`.
    let n = times.customers.len();
    let place = |id: u64| times.customers.binary_search(&id).unwrap_or(0);
    let mut first = vec![(i32::MAX, 0_i64); n];
    for ((&id, &day), &cents) in customers.iter().zip(days).zip(&purchases.cents) {
        let known = &mut first[place(id)];
        if day < known.0 {
            *known = (day, 0);
        }
        if day == known.0 {
            known.1 += cents;
        }
    }
    let mut sorted: Vec<i64> = first.iter().map(|first| first.1).collect();
    sorted.sort_unstable();
    let cuts = [sorted[n / 3], sorted[2 * n / 3]];
    let groups: Vec<usize> = first
        .iter()
        .map(|first| cuts.iter().filter(|cut| first.1 > **cut).count())
        .collect();
    let weeks: Vec<f64> =
        times.durations.iter().map(|d| TimeUnit::Week.of_days(*d)).collect();

    let mut curves = Vec::new();
    for (group, name) in ["small", "medium", "large"].into_iter().enumerate() {
        let members: Vec<usize> = (0..n).filter(|&i| groups[i] == group).collect();
        let durations: Vec<f64> = members.iter().map(|&i| weeks[i]).collect();
        let observed: Vec<bool> = members.iter().map(|&i| times.observed[i]).collect();
        let curve = KaplanMeier::fit(&durations, &observed)?;
        let median =
            curve.median().map_or("not reached".to_owned(), |m| format!("{m:.1} weeks"));
        let quarter =
            curve.survival_at(13.0).map_or("?".to_owned(), |s| format!("{s:.3}"));
        println!(
            "{name:>7}: {} customers, median {median}, {quarter} still waiting after 13",
            members.len()
        );
        curves.push((name.to_owned(), curve));
    }
    let test = log_rank_test(&weeks, &times.observed, &groups, LogRankWeights::LogRank)?;
    println!(
        "log-rank: chi-squared {:.2}, {} df, p = {:.2e}",
        test.statistic, test.df, test.p_value
    );
    Ok(curves)
}

/// The triangle of monthly cohorts.
fn cohorts(purchases: &Purchases) -> Result<CohortTable> {
    let mut cohorts = Cohorts::new(CohortOptions::new(Period::Month))?;
    cohorts.add(&purchases.customers, &purchases.days, &purchases.cents)?;
    let table = cohorts.table(purchases.until)?;
    heading(
        "share of each month's new customers who buy, by months since (· not yet, * not over)",
    );
    let shown = table.cohorts().len().min(13);
    print!("{:>8} {:>9}", "month", "customers");
    (1..shown).for_each(|since| print!(" {since:>5}"));
    println!();
    for cohort in table.cohorts().iter().take(shown) {
        print!("{:>8} {:>9}", &cohort.start().to_string()[..7], cohort.customers());
        for since in 1..shown {
            match (cohort.retention(Retention::Classic, since), cohort.cell(since)) {
                (Some(rate), Some(cell)) => {
                    let open = if cell.complete { ' ' } else { '*' };
                    print!(" {:>4.1}{open}", 100.0 * rate);
                }
                _ => print!(" {:>5}", "·"),
            }
        }
        println!();
    }
    Ok(table)
}
