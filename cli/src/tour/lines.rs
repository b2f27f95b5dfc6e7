//! The tour: who asks what, and what must come back. `{-40}` stands for the
//! day 40 days before the current quarter.

use super::edit::Edit;

/// A statement, everybody who asks it, and the point of it.
pub(super) struct Line {
    pub(super) title: &'static str,
    /// What somebody changes before, and what is as it was afterwards.
    pub(super) edit: Option<Edit>,
    pub(super) ask: &'static str,
    pub(super) answers: &'static [(&'static str, Answer)],
    pub(super) says: &'static str,
}

/// What must come back.
pub(super) enum Answer {
    /// CSV with a header; a header without lines is no row.
    Rows(&'static str),
    /// An error of this class.
    Refused(Refusal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NoSuchTable,
    NoSuchColumn,
    DivisionByZero,
    NotAQuery,
}

pub(super) const LINES: &[Line] = &[
    Line {
        title: "Everybody has a catalog of their own",
        edit: None,
        ask: "show tables",
        answers: &[
            (
                "anna",
                Answer::Rows(
                    "table_schema,table_name,description\n\
                     customers,segments,One row a segment and region.\n\
                     sales,order_forecast,One row a region and week.\n\
                     sales,order_lines,One row an article of an order.\n\
                     sales,orders,One row an order.",
                ),
            ),
            (
                "marco",
                Answer::Rows(
                    "table_schema,table_name,description\n\
                     customers,feedback,One row a message.\n\
                     customers,profiles,One row a customer.\n\
                     customers,segments,One row a segment and region.\n\
                     sales,order_forecast,One row a region and week.\n\
                     sales,orders,One row an order.\n\
                     web,clicks,One row a page view.\n\
                     web,recommendations,One row a customer and article.",
                ),
            ),
            ("otto", Answer::Rows("table_schema,table_name,description")),
        ],
        says: "The catalog is the policy: a table without a grant does not exist. Otto's token is valid, and he sees nothing.",
    },
    Line {
        title: "The same SQL, four truths",
        edit: None,
        ask: "select * from sales.orders where order_id <= 1008 order by order_id",
        answers: &[
            (
                "anna",
                Answer::Rows(
                    "order_id,customer_id,store_id,region,order_date,total\n\
                     1001,1,berlin,DE,{-40},120.00\n\
                     1006,1,munich,DE,{-20},40.00",
                ),
            ),
            (
                "rita",
                Answer::Rows(
                    "order_id,customer_id,store_id,region,order_date,total,margin,card\n\
                     1001,1,berlin,DE,{-40},120.00,30.00,************1111\n\
                     1004,3,vienna,AT,{-30},300.00,75.00,***********0009\n\
                     1005,4,vienna,AT,{-25},55.50,11.10,************1881\n\
                     1006,1,munich,DE,{-20},40.00,8.00,************1111\n\
                     1007,5,graz,AT,{-10},210.00,63.00,**********0004",
                ),
            ),
            (
                "eve",
                Answer::Rows(
                    "order_id,region,order_date,total\n\
                     1002,FR,{-35},80.00\n\
                     1008,FR,{-12},78.00",
                ),
            ),
            (
                "marco",
                Answer::Rows(
                    "order_id,customer_id,region,order_date,total\n\
                     1001,1,DE,{-40},120.00\n\
                     1002,2,FR,{-35},80.00\n\
                     1003,2,DE,{0},999.00\n\
                     1004,3,AT,{-30},300.00\n\
                     1005,4,AT,{-25},55.50\n\
                     1006,1,DE,{-20},40.00\n\
                     1007,5,AT,{-10},210.00\n\
                     1008,6,FR,{-12},78.00",
                ),
            ),
            ("otto", Answer::Refused(Refusal::NoSuchTable)),
        ],
        says: "Rows by claims and by lookups in the domain's own tables, columns by classification, cards masked by the operator, the current quarter under embargo.",
    },
    Line {
        title: "A hidden column does not exist",
        edit: None,
        ask: "select customer_id, margin from sales.orders where order_id <= 1008",
        answers: &[
            ("felix", Answer::Refused(Refusal::NoSuchColumn)),
            ("anna", Answer::Refused(Refusal::NoSuchColumn)),
        ],
        says: "Hidden and missing look the same: nobody learns that there is a margin.",
    },
    Line {
        title: "Lookups: the lines of the orders that one sees",
        edit: None,
        ask: "select order_id, count(*) as lines from sales.order_lines \
              where order_id <= 1008 group by order_id order by order_id",
        answers: &[
            ("anna", Answer::Rows("order_id,lines\n1001,2\n1006,2")),
            (
                "sven",
                Answer::Rows(
                    "order_id,lines\n1001,2\n1002,2\n1003,2\n1004,2\n1005,2\n1006,2\n1007,2\n1008,2",
                ),
            ),
            ("rita", Answer::Refused(Refusal::NoSuchTable)),
        ],
        says: "One rule ties the lines to the orders that the caller may see, embargo included; no subquery, no copy of the rules.",
    },
    Line {
        title: "Two keys: the operator's tags and the domain's consent",
        edit: None,
        ask: "select * from customers.profiles where customer_id <= 6 order by customer_id",
        answers: &[
            (
                "marco",
                Answer::Rows(
                    "customer_id,full_name,email,birth_date,region,segment,marketing_consent\n\
                     1,***,***,1984-01-01,DE,gold,true\n\
                     2,***,***,1991-01-01,FR,new,true\n\
                     3,***,***,2001-01-01,AT,new,true\n\
                     6,***,***,1999-01-01,FR,new,true",
                ),
            ),
            (
                "dora",
                Answer::Rows(
                    "customer_id,full_name,email,birth_date,region,segment,marketing_consent\n\
                     1,Greta Winter,greta@winter.example,1984-02-11,DE,gold,true\n\
                     2,Paul Sommer,paul@sommer.example,1991-07-30,FR,new,true\n\
                     3,Lina Herbst,lina@herbst.example,2001-10-05,AT,new,true\n\
                     4,Emil Lenz,emil@lenz.example,1975-04-18,AT,regular,false\n\
                     5,Nora Berg,nora@berg.example,1968-12-24,AT,gold,false\n\
                     6,Hugo Petit,hugo@petit.example,1999-03-01,FR,new,true",
                ),
            ),
        ],
        says: "Marketing gets those who consented, without names; the data protection officer gets everybody in clear.",
    },
    Line {
        title: "A join across two domains",
        edit: None,
        ask: "select p.segment, count(*) as orders, sum(o.total) as turnover \
             from sales.orders o join customers.profiles p using (customer_id) \
             where o.order_id <= 1008 group by p.segment order by p.segment",
        answers: &[
            ("marco", Answer::Rows("segment,orders,turnover\ngold,2,160.00\nnew,4,1457.00")),
            ("otto", Answer::Refused(Refusal::NoSuchTable)),
        ],
        says: "Each domain's node applied its own policy before a row left it; only the join ran in the gateway.",
    },
    Line {
        title: "Who does what",
        edit: None,
        ask: "explain select p.segment, count(*) as orders, sum(o.total) as turnover \
              from sales.orders o join customers.profiles p using (customer_id) \
              where o.order_id <= 1008 group by p.segment order by p.segment",
        answers: &[(
            "marco",
            Answer::Rows(
                "step,runs_in,what\n\
                 1,domain sales,reads sales.orders as far as you may see it: order_id, customer_id, total; where order_id <= 1008\n\
                 2,gateway,keeps rows of 1 where sales.orders.order_id <= 1008\n\
                 3,domain customers,reads customers.profiles as far as you may see it: customer_id, segment\n\
                 4,gateway,joins 2 with 3, on o.customer_id = p.customer_id\n\
                 5,gateway,groups 4 by p.segment: count(*), sum(o.total)\n\
                 6,gateway,sorts 5 by p.segment",
            ),
        )],
        says: "Each table is one line, whatever its domain makes of it: no policy, no address, no size.",
    },
    Line {
        title: "The barrier: errors do not tell on hidden rows",
        edit: None,
        ask: "select order_id from sales.orders where order_id <= 1008 and 1/(total-999) < 0 order by order_id",
        answers: &[
            ("anna", Answer::Rows("order_id\n1001\n1006")),
            ("marco", Answer::Refused(Refusal::DivisionByZero)),
        ],
        says: "Order 1003 over 999.00 is under embargo for Anna: her division never meets it. Marco sees it, and his division does.",
    },
    Line {
        title: "Tables that only policies use are not there for anybody",
        edit: None,
        ask: "select * from sales.stores",
        answers: &[("sven", Answer::Refused(Refusal::NoSuchTable))],
        says: "Not even the owner of the domain gets a table that nobody granted.",
    },
    Line {
        title: "Reading only",
        edit: None,
        ask: "delete from sales.orders",
        answers: &[("sven", Answer::Refused(Refusal::NotAQuery))],
        says: "Whatever is not a query is refused before it is planned.",
    },
    Line {
        title: "Why do I see what I see?",
        edit: None,
        ask: "explain policy select * from sales.orders",
        answers: &[
            (
                "anna",
                Answer::Rows(
                    "domain,table,column,effect,rule,set_by,why,owner,predicate\n\
                     sales,orders,(rows),gives some rows,analysts-own-regions,owner,Analysts work on the regions that they are responsible for.,sales-data@larkfield.example,NULL\n\
                     sales,orders,(rows),gives some rows,named-entitlements,owner,Entitled in writing, region by region, until a day.,sales-data@larkfield.example,NULL\n\
                     sales,orders,(rows),keeps some rows,quarter-embargo,owner,Figures of the current quarter are inside information until published.,sales-data@larkfield.example,NULL\n\
                     sales,orders,order_id,shows,analysts-own-regions,owner,Analysts work on the regions that they are responsible for.,sales-data@larkfield.example,NULL\n\
                     sales,orders,order_id,shows,named-entitlements,owner,Entitled in writing, region by region, until a day.,sales-data@larkfield.example,NULL\n\
                     sales,orders,customer_id,shows on its rows,analysts-own-regions,owner,Analysts work on the regions that they are responsible for.,sales-data@larkfield.example,NULL\n\
                     sales,orders,store_id,shows on its rows,analysts-own-regions,owner,Analysts work on the regions that they are responsible for.,sales-data@larkfield.example,NULL\n\
                     sales,orders,region,shows,analysts-own-regions,owner,Analysts work on the regions that they are responsible for.,sales-data@larkfield.example,NULL\n\
                     sales,orders,region,shows,named-entitlements,owner,Entitled in writing, region by region, until a day.,sales-data@larkfield.example,NULL\n\
                     sales,orders,order_date,shows,analysts-own-regions,owner,Analysts work on the regions that they are responsible for.,sales-data@larkfield.example,NULL\n\
                     sales,orders,order_date,shows,named-entitlements,owner,Entitled in writing, region by region, until a day.,sales-data@larkfield.example,NULL\n\
                     sales,orders,total,shows,analysts-own-regions,owner,Analysts work on the regions that they are responsible for.,sales-data@larkfield.example,NULL\n\
                     sales,orders,total,shows,named-entitlements,owner,Entitled in writing, region by region, until a day.,sales-data@larkfield.example,NULL",
                ),
            ),
            (
                "sven",
                Answer::Rows(
                    "domain,table,column,effect,rule,set_by,why,owner,predicate\n\
                     sales,orders,(rows),gives all rows,owner,owner,Owns the data.,sales-data@larkfield.example,NULL\n\
                     sales,orders,order_id,shows,owner,owner,Owns the data.,sales-data@larkfield.example,NULL\n\
                     sales,orders,customer_id,shows,owner,owner,Owns the data.,sales-data@larkfield.example,NULL\n\
                     sales,orders,store_id,shows,owner,owner,Owns the data.,sales-data@larkfield.example,NULL\n\
                     sales,orders,region,shows,owner,owner,Owns the data.,sales-data@larkfield.example,NULL\n\
                     sales,orders,order_date,shows,owner,owner,Owns the data.,sales-data@larkfield.example,NULL\n\
                     sales,orders,total,shows,owner,owner,Owns the data.,sales-data@larkfield.example,NULL\n\
                     sales,orders,margin,shows,owner,owner,Owns the data.,sales-data@larkfield.example,NULL\n\
                     sales,orders,card,shows,owner,owner,Owns the data.,sales-data@larkfield.example,NULL\n\
                     sales,orders,card,masks,cards-masked,operator,Nobody needs more of a card number than its end.,mesh@larkfield.example,last(4)",
                ),
            ),
            ("otto", Answer::Refused(Refusal::NoSuchTable)),
        ],
        says: "Everybody reads which rule decides, why, and whom to ask; of what is hidden not a word. Sven owns sales and reads the rules' text.",
    },
    Line {
        title: "Policy is code, and live: Sven adds `restricted` to what analysts see, and saves",
        edit: Some(Edit {
            file: "sales/policies/sales.yaml",
            from: "columns: { classification: [public, internal, confidential] }",
            to: "columns: { classification: [public, internal, confidential, restricted] }",
        }),
        ask: "select * from sales.orders where order_id <= 1008 order by order_id",
        answers: &[(
            "anna",
            Answer::Rows(
                "order_id,customer_id,store_id,region,order_date,total,margin,card\n\
                 1001,1,berlin,DE,{-40},120.00,30.00,************1111\n\
                 1006,1,munich,DE,{-20},40.00,8.00,************1111",
            ),
        )],
        says: "Within a second Anna has a margin; of the card she gets what the operator's restriction leaves. The file is as it was again.",
    },
];
