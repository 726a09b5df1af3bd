//! Rows left out on purpose.

use super::*;

const TEXT: &str = "id,day,paid,order\na,2011-12-01,5,1\n,2011-12-01,5,2\n\
                    a,2011-12-02,-5,C1\nb,2011-12-02,0,3\nb,2011-12-02,0.004,3\n\
                    b,2011-12-03,1,\n";

#[test]
fn by_default_only_rows_without_a_customer_go() {
    let (read, bad) = table(&format!("{BY_NAME} --order order"), TEXT);
    assert!(bad.is_empty());
    assert_eq!((read.rows, read.skipped), (6, 1));
    assert_eq!(read.by_reason[&Reason::NoCustomer], 1);
    let orders: Vec<_> = read.records.iter().map(|r| r.order).collect();
    assert_eq!(orders, [Some(0), Some(1), Some(2), Some(2), None]);
    assert_eq!(read.orders, ["1", "C1", "3"]);
    assert_eq!(read.customers, ["a", "b"]);
}

#[test]
fn cancelled_orders_and_zeros_go_on_request() {
    let args = format!("{BY_NAME} --order order --cancelled-prefix C --drop-zero");
    let (read, bad) = table(&args, TEXT);
    assert!(bad.is_empty());
    assert_eq!(rows(&read), ["a 2011-12-01 500", "b 2011-12-03 100"]);
    assert_eq!(read.by_reason[&Reason::Cancelled], 1);
    assert_eq!(read.by_reason[&Reason::ZeroAmount], 2);
    assert_eq!(read.orders, ["1"]);
}
