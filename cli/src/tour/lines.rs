//! The tour: who asks what, and what must come back. `{-40}` stands for the
//! day 40 days before the current quarter.

/// A statement, everybody who asks it, and the point of it.
pub(super) struct Line {
    pub(super) title: &'static str,
    pub(super) ask: Ask,
    pub(super) answers: &'static [(&'static str, Answer)],
    pub(super) says: &'static str,
}

pub(super) enum Ask {
    /// The tables that a SQL tool would list.
    Tables,
    Sql(&'static str),
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
        ask: Ask::Tables,
        answers: &[
            (
                "anna",
                Answer::Rows(
                    "table\ncustomers.segments\nsales.order_forecast\nsales.order_lines\nsales.orders",
                ),
            ),
            (
                "marco",
                Answer::Rows(
                    "table\ncustomers.feedback\ncustomers.profiles\ncustomers.segments\n\
                     sales.order_forecast\nsales.orders\nweb.clicks\nweb.recommendations",
                ),
            ),
            ("otto", Answer::Rows("table")),
        ],
        says: "The catalog is the policy: a table without a grant does not exist. Otto's token is valid, and he sees nothing.",
    },
    Line {
        title: "The same SQL, four truths",
        ask: Ask::Sql("select * from sales.orders where order_id <= 1008 order by order_id"),
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
        ask: Ask::Sql("select customer_id, margin from sales.orders where order_id <= 1008"),
        answers: &[
            ("felix", Answer::Refused(Refusal::NoSuchColumn)),
            ("anna", Answer::Refused(Refusal::NoSuchColumn)),
        ],
        says: "Hidden and missing look the same: nobody learns that there is a margin.",
    },
    Line {
        title: "Lookups: the lines of the orders that one sees",
        ask: Ask::Sql(
            "select order_id, count(*) as lines from sales.order_lines \
             where order_id <= 1008 group by order_id order by order_id",
        ),
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
        ask: Ask::Sql("select * from customers.profiles where customer_id <= 6 order by customer_id"),
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
        ask: Ask::Sql(
            "select p.segment, count(*) as orders, sum(o.total) as turnover \
             from sales.orders o join customers.profiles p using (customer_id) \
             where o.order_id <= 1008 group by p.segment order by p.segment",
        ),
        answers: &[
            ("marco", Answer::Rows("segment,orders,turnover\ngold,2,160.00\nnew,4,1457.00")),
            ("otto", Answer::Refused(Refusal::NoSuchTable)),
        ],
        says: "Each domain's node applied its own policy before a row left it; only the join ran in the gateway.",
    },
    Line {
        title: "The barrier: errors do not tell on hidden rows",
        ask: Ask::Sql(
            "select order_id from sales.orders where order_id <= 1008 and 1/(total-999) < 0 order by order_id",
        ),
        answers: &[
            ("anna", Answer::Rows("order_id\n1001\n1006")),
            ("marco", Answer::Refused(Refusal::DivisionByZero)),
        ],
        says: "Order 1003 over 999.00 is under embargo for Anna: her division never meets it. Marco sees it, and his division does.",
    },
    Line {
        title: "Tables that only policies use are not there for anybody",
        ask: Ask::Sql("select * from sales.stores"),
        answers: &[("sven", Answer::Refused(Refusal::NoSuchTable))],
        says: "Not even the owner of the domain gets a table that nobody granted.",
    },
    Line {
        title: "Reading only",
        ask: Ask::Sql("delete from sales.orders"),
        answers: &[("sven", Answer::Refused(Refusal::NotAQuery))],
        says: "Whatever is not a query is refused before it is planned.",
    },
];
