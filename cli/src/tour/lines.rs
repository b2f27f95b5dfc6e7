//! The tour: who asks what, and what must come back. `{-40}` stands for the
//! day 40 days before the current quarter, `{greta}` for a person's pseudonym.

use super::edit::Edit;

/// A statement, everybody who asks it, and the point of it.
pub(super) struct Line {
    pub(super) title: &'static str,
    /// What somebody changes before, and what is as it was afterwards.
    pub(super) edit: Option<Edit>,
    /// What is said first in the same session.
    pub(super) set: Option<&'static str>,
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
    /// It is there for another purpose, which the caller may choose.
    NeedsPurpose,
    PurposeNotGranted,
    DivisionByZero,
    NotAQuery,
}

pub(super) const LINES: &[Line] = &[
    Line {
        title: "Everybody has a catalog of their own",
        edit: None,
        set: None,
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
        set: None,
        ask: "select * from sales.orders where order_id <= 1008 order by order_id",
        answers: &[
            (
                "anna",
                Answer::Rows(
                    "order_id,customer_id,store_id,region,order_date,total\n\
                     1001,{greta},berlin,DE,{-40},120.00\n\
                     1006,{greta},munich,DE,{-20},40.00",
                ),
            ),
            (
                "rita",
                Answer::Rows(
                    "order_id,customer_id,store_id,region,order_date,total,margin,card\n\
                     1001,{greta},berlin,DE,{-40},120.00,30.00,************1111\n\
                     1004,{lina},vienna,AT,{-30},300.00,75.00,***********0009\n\
                     1005,{emil},vienna,AT,{-25},55.50,11.10,************1881\n\
                     1006,{greta},munich,DE,{-20},40.00,8.00,************1111\n\
                     1007,{nora},graz,AT,{-10},210.00,63.00,**********0004",
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
                     1001,{greta},DE,{-40},120.00\n\
                     1002,{paul},FR,{-35},80.00\n\
                     1003,{paul},DE,{0},999.00\n\
                     1004,{lina},AT,{-30},300.00\n\
                     1005,{emil},AT,{-25},55.50\n\
                     1006,{greta},DE,{-20},40.00\n\
                     1007,{nora},AT,{-10},210.00\n\
                     1008,{hugo},FR,{-12},78.00",
                ),
            ),
            ("otto", Answer::Refused(Refusal::NoSuchTable)),
        ],
        says: "Rows by claims and by lookups in the domain's own tables, columns by classification, cards masked by the operator, the current quarter under embargo.",
    },
    Line {
        title: "A hidden column does not exist",
        edit: None,
        set: None,
        ask: "select customer_id, margin from sales.orders where order_id <= 1008",
        answers: &[
            ("anna", Answer::Refused(Refusal::NoSuchColumn)),
            ("felix", Answer::Refused(Refusal::NeedsPurpose)),
        ],
        says: "Hidden and missing look the same: Anna does not learn that there is a margin. Felix may choose a purpose that shows it, and is told so.",
    },
    Line {
        title: "A purpose, chosen and recorded",
        edit: None,
        set: Some("SET meshgate.purpose = 'fraud-investigation'"),
        ask: "select customer_id, margin from sales.orders where order_id <= 1008 order by order_id",
        answers: &[
            (
                "felix",
                Answer::Rows(
                    "customer_id,margin\n1,30.00\n2,16.00\n2,250.00\n3,75.00\n4,11.10\n1,8.00\n5,63.00\n6,19.50",
                ),
            ),
            ("marco", Answer::Refused(Refusal::PurposeNotGranted)),
        ],
        says: "His token names the purpose, the grant asks for it, and the audit of the gateway and of the domain record it.",
    },
    Line {
        title: "Lookups: the lines of the orders that one sees",
        edit: None,
        set: None,
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
        set: None,
        ask: "select * from customers.profiles where customer_id in \
              (select customer_id from sales.orders where order_id <= 1008) order by birth_date",
        answers: &[
            (
                "marco",
                Answer::Rows(
                    "customer_id,full_name,email,birth_date,region,segment,marketing_consent\n\
                     {greta},***,***,1984-01-01,DE,gold,true\n\
                     {paul},***,***,1991-01-01,FR,new,true\n\
                     {hugo},***,***,1999-01-01,FR,new,true\n\
                     {lina},***,***,2001-01-01,AT,new,true",
                ),
            ),
            (
                "dora",
                Answer::Rows(
                    "customer_id,full_name,email,birth_date,region,segment,marketing_consent\n\
                     5,Nora Berg,nora@berg.example,1968-12-24,AT,gold,false\n\
                     4,Emil Lenz,emil@lenz.example,1975-04-18,AT,regular,false\n\
                     1,Greta Winter,greta@winter.example,1984-02-11,DE,gold,true\n\
                     2,Paul Sommer,paul@sommer.example,1991-07-30,FR,new,true\n\
                     6,Hugo Petit,hugo@petit.example,1999-03-01,FR,new,true\n\
                     3,Lina Herbst,lina@herbst.example,2001-10-05,AT,new,true",
                ),
            ),
        ],
        says: "Marketing gets those who consented, without names; the data protection officer gets everybody in clear.",
    },
    Line {
        title: "A join across two domains, over pseudonyms",
        edit: None,
        set: None,
        ask: "select p.segment, count(*) as orders, sum(o.total) as turnover \
             from sales.orders o join customers.profiles p using (customer_id) \
             where o.order_id <= 1008 group by p.segment order by p.segment",
        answers: &[
            ("marco", Answer::Rows("segment,orders,turnover\ngold,2,160.00\nnew,4,1457.00")),
            ("otto", Answer::Refused(Refusal::NoSuchTable)),
        ],
        says: "Each node masked the customers' numbers under a key that the gateway does not have: two domains are joined, and nobody saw an id.",
    },
    Line {
        title: "Who does what",
        edit: None,
        set: None,
        ask: "explain select p.segment, count(*) as orders, sum(o.total) as turnover \
              from sales.orders o join customers.profiles p using (customer_id) \
              where o.order_id <= 1008 group by p.segment order by p.segment",
        answers: &[(
            "marco",
            Answer::Rows(
                "step,runs_in,what\n\
                 1,domain sales,reads sales.orders as far as you may see it: order_id, customer_id, total; where order_id <= 1008\n\
                 2,domain customers,reads customers.profiles as far as you may see it: customer_id, segment\n\
                 3,gateway,joins 1 with 2, on o.customer_id = p.customer_id\n\
                 4,gateway,groups 3 by p.segment: count(*), sum(o.total)\n\
                 5,gateway,sorts 4 by p.segment",
            ),
        )],
        says: "Each table is one line, whatever its domain makes of it: no policy, no address, no size.",
    },
    Line {
        title: "The barrier: errors do not tell on hidden rows",
        edit: None,
        set: None,
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
        set: None,
        ask: "select * from sales.stores",
        answers: &[("sven", Answer::Refused(Refusal::NoSuchTable))],
        says: "Not even the owner of the domain gets a table that nobody granted.",
    },
    Line {
        title: "Reading only",
        edit: None,
        set: None,
        ask: "delete from sales.orders",
        answers: &[("sven", Answer::Refused(Refusal::NotAQuery))],
        says: "Whatever is not a query is refused before it is planned.",
    },
    Line {
        title: "Why do I see what I see?",
        edit: None,
        set: None,
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
                     sales,orders,customer_id,masks,person-keys-pseudonymised,operator,Who a person is, only those learn who need it by law or by purpose.,mesh@larkfield.example,NULL\n\
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
                     sales,orders,customer_id,masks,person-keys-pseudonymised,operator,Who a person is, only those learn who need it by law or by purpose.,mesh@larkfield.example,pseudonym(person)\n\
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
        set: None,
        ask: "select * from sales.orders where order_id <= 1008 order by order_id",
        answers: &[(
            "anna",
            Answer::Rows(
                "order_id,customer_id,store_id,region,order_date,total,margin,card\n\
                 1001,{greta},berlin,DE,{-40},120.00,30.00,************1111\n\
                 1006,{greta},munich,DE,{-20},40.00,8.00,************1111",
            ),
        )],
        says: "Within a second Anna has a margin; of the card she gets what the operator's restriction leaves. The file is as it was again.",
    },
    Line {
        title: "The audit knows both versions of the policy",
        edit: None,
        set: None,
        ask: "select count(distinct policy_versions) >= 2 as both_versions, count(distinct subject) as people \
              from mesh.system.audit where outcome = 'ok' \
              and statement = 'select * from sales.orders where order_id <= 1008 order by order_id'",
        answers: &[
            ("anna", Answer::Rows("both_versions,people\ntrue,1")),
            ("dora", Answer::Rows("both_versions,people\ntrue,4")),
            ("otto", Answer::Rows("both_versions,people\nfalse,0")),
        ],
        says: "Everybody sees their own records, with the versions of the policies; Dora, the privacy officer, sees those of all four who asked.",
    },
];
