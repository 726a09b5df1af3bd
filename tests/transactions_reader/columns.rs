//! Columns by name, by number, and products.

use super::*;

#[test]
fn a_misspelt_name_is_answered_with_the_right_one() {
    let message = usage(
        "--customer id --date day --amount Amout",
        "id,day,Amount\na,2011-12-01,1\n",
    );
    assert!(
        message.starts_with("no column is named `Amout`; did you mean `Amount`?"),
        "{message}"
    );
    assert!(message.contains("the columns are `id`, `day`, `Amount`"), "{message}");
}

#[test]
fn a_number_beyond_the_columns_is_refused() {
    for number in ["0", "4", "99999999999999999999"] {
        let args = format!("--customer 1 --date 2 --amount {number}");
        let message = usage(&args, "a,2011-12-01,1\n");
        let start = if number.len() > 9 { "no column" } else { "there is no column" };
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn a_name_that_occurs_twice_is_refused_and_its_number_is_not() {
    let text = "id,day,paid,paid\na,2011-12-01,1,2\n";
    let message = usage(BY_NAME, text);
    assert!(message.starts_with("columns 3 and 4 are both named `paid`"), "{message}");
    let (read, _) = table("--customer id --date day --amount 4", text);
    assert_eq!(rows(&read), ["a 2011-12-01 200"]);
}

#[test]
fn an_amount_may_be_a_product() {
    let text = "id,day,n,price,n*price\na,2011-12-01,-3,2.55,7\n";
    let at = |amount: &str| {
        let args = format!("--customer id --date day --amount {amount}");
        table(&args, text).0.records[0].amount_minor
    };
    assert_eq!(at("price*n"), -765);
    assert_eq!(at("3*4"), -765);
    assert_eq!(at("n*n*price"), 2295);
    // A column of that very name goes before the product.
    assert_eq!(at("n*price"), 700);
    let message = usage("--customer id --date day --amount n*", text);
    assert!(message.starts_with("no column is named ``"), "{message}");
}

#[test]
fn a_number_is_never_looked_up_among_the_values_of_the_first_row() {
    let (read, _) = table("--customer 2 --date 3 --amount 1", "5,1,2011-12-01\n");
    assert_eq!(rows(&read), ["1 2011-12-01 500"]);
}
