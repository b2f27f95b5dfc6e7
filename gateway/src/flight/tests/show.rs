//! SHOW, DESCRIBE and the tables that tell what there is: the caller's view only.

use tonic::Code;

use crate::testing::{
    bench::{Bench, anna, auditor, otto, token},
    larkfield::SALES_POLICY,
};

const NONE: [&str; 0] = [];
/// What no answer to anna or otto may name.
const HIDDEN: [&str; 5] = ["margin", "people", "salary", "order_lines", "sku"];

/// The rows, without the header.
async fn lines(bench: &Bench, token: &str, sql: &str) -> Vec<String> {
    let table = bench.table(token, sql).await;
    let cells = |line: &str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join(",");
    table.lines().filter(|line| !line.starts_with('+')).skip(1).map(cells).collect()
}

#[tokio::test]
async fn a049_show_lists_what_the_caller_sees() {
    let bench = Bench::start().await;
    let orders = "sales,orders,About orders.";
    assert_eq!(lines(&bench, &anna(), "show tables").await, [orders]);
    assert_eq!(lines(&bench, &otto(), "show tables").await, NONE);
    let all = ["hr,people,About people.", "sales,order_lines,About order_lines.", orders];
    assert_eq!(lines(&bench, &auditor(), "show tables").await, all);
    assert_eq!(lines(&bench, &auditor(), "show tables from sales like 'order!_l%'").await, NONE);
    assert_eq!(lines(&bench, &auditor(), "show tables in mesh.sales like '%lines'").await, all[1..2]);
    assert_eq!(lines(&bench, &auditor(), "show tables from sales ilike 'ORDERS'").await, all[2..]);
    // A schema that is hidden is one that is empty.
    for schema in ["hr", "nowhere", "other.sales"] {
        assert_eq!(lines(&bench, &anna(), &format!("show tables from {schema}")).await, NONE, "{schema}");
    }
    assert_eq!(lines(&bench, &otto(), "show tables from system").await.len(), 5);
    assert_eq!(lines(&bench, &anna(), "show schemas").await, ["information_schema", "sales", "system"]);
    assert_eq!(lines(&bench, &anna(), "show schemas like 's%'").await, ["sales", "system"]);
    assert_eq!(lines(&bench, &otto(), "show schemas like '%s'").await, NONE);
}

#[tokio::test]
async fn a049_columns_are_the_visible_ones() {
    let bench = Bench::start().await;
    let described = [
        "order_id,BIGINT,NO,What order_id is.",
        "region,VARCHAR,NO,What region is.",
        "total,BIGINT,YES,What total is.",
        "card,VARCHAR,YES,What card is.",
    ];
    for sql in ["describe sales.orders", "DESC mesh.Sales.Orders", "describe mesh.\"sales\".orders"] {
        assert_eq!(lines(&bench, &anna(), sql).await, described, "{sql}");
    }
    let shown = [
        "mesh,sales,orders,order_id,BIGINT,NO",
        "mesh,sales,orders,region,VARCHAR,NO",
        "mesh,sales,orders,total,BIGINT,YES",
        "mesh,sales,orders,card,VARCHAR,YES",
    ];
    assert_eq!(lines(&bench, &anna(), "show columns from sales.orders").await, shown);
    assert_eq!(lines(&bench, &anna(), "show columns from sales.orders like '%o%'").await, shown[..3]);
    assert_eq!(lines(&bench, &auditor(), "describe sales.orders").await.len(), 5);
    assert_eq!(lines(&bench, &otto(), "describe system.whoami").await.len(), 7);
    assert_eq!(lines(&bench, &otto(), "show columns from information_schema.schemata").await.len(), 3);
}

#[tokio::test]
async fn a041_a049_hidden_and_missing_tables_are_described_alike() {
    let bench = Bench::start().await;
    for form in
        ["describe {}", "show columns from {}", "explain select * from {}", "explain policy select * from {}"]
    {
        let mut answers = Vec::new();
        for table in ["hr.people", "hr.nothing", "sales.order_lines", "system.nothing", "other.sales.orders"]
        {
            let (code, message) = bench.refusal(&anna(), &form.replace("{}", table)).await;
            assert_eq!(code, Code::NotFound, "{form} {table}: {message}");
            answers.push(message.split(" (query").next().unwrap().replace(table, "x"));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{form}: {answers:?}");
    }
    let (code, message) = bench.refusal(&anna(), "describe orders").await;
    assert!(code == Code::NotFound && message.contains("`orders`"), "{message}");
}

#[tokio::test]
async fn a042_information_schema_holds_what_the_caller_sees() {
    let bench = Bench::start().await;
    let of_domains = "where table_schema not in ('system', 'information_schema') order by 1, 2";
    let tables =
        format!("select table_schema, table_name, table_type from information_schema.tables {of_domains}");
    assert_eq!(lines(&bench, &anna(), &tables).await, ["sales,orders,BASE TABLE"]);
    assert_eq!(lines(&bench, &otto(), &tables).await.len(), 0);
    assert_eq!(lines(&bench, &auditor(), &tables).await.len(), 3);
    let columns = "select column_name, ordinal_position, is_nullable, data_type, numeric_precision
                   from mesh.information_schema.columns where table_schema = 'sales' order by table_name, 2";
    assert_eq!(
        lines(&bench, &anna(), columns).await,
        ["order_id,1,NO,BIGINT,64", "region,2,NO,VARCHAR,", "total,3,YES,BIGINT,64", "card,4,YES,VARCHAR,"]
    );
    assert_eq!(lines(&bench, &auditor(), columns).await.len(), 7);
    assert_eq!(lines(&bench, &anna(), "select * from information_schema.views").await.len(), 0);
    let schemata = "select schema_name from information_schema.schemata order by 1";
    assert_eq!(lines(&bench, &otto(), schemata).await, ["information_schema", "system"]);
    for closed in ["df_settings", "routines", "parameters", "table_constraints", "TABLES", "nothing"] {
        let (code, _) =
            bench.refusal(&auditor(), &format!("select * from information_schema.\"{closed}\"")).await;
        assert_eq!(code, Code::NotFound, "{closed}");
    }
    for table in ["tables", "columns", "schemata", "views"] {
        for (name, token) in [("anna", anna()), ("otto", otto())] {
            let text = bench.table(&token, &format!("select * from information_schema.{table}")).await;
            assert!(HIDDEN.iter().all(|hidden| !text.contains(hidden)), "{name}: {text}");
        }
    }
}

#[tokio::test]
async fn what_there_is_has_descriptions_owners_and_rules() {
    let bench = Bench::start().await;
    let products = "select domain, product, version, owner, tables from mesh.system.products";
    let orders = "sales,orders-product,1.0.0,owner@larkfield.example,[orders]";
    assert_eq!(lines(&bench, &anna(), products).await, [orders]);
    assert_eq!(lines(&bench, &auditor(), products).await.len(), 3);
    let columns = "select table_name, column_name, data_type, nullable, primary_key, masked, description,
                   classification from system.columns where domain = 'sales' and table_name = 'orders'";
    assert_eq!(
        lines(&bench, &anna(), columns).await,
        [
            "orders,order_id,int64,false,true,false,What order_id is.,internal",
            "orders,region,text,false,false,false,What region is.,internal",
            "orders,total,int64,true,false,false,What total is.,internal",
            "orders,card,text,true,false,true,What card is.,internal",
        ]
    );
    let of_products = "select product, status, description, tags from system.products where domain = 'sales'";
    let orders = "orders-product,active,All orders.,[all-orders, gold]";
    assert_eq!(lines(&bench, &anna(), of_products).await, [orders]);
    let order_lines = "order_lines-product,active,All order_lines.,[all-order_lines, gold]";
    assert_eq!(lines(&bench, &auditor(), of_products).await, [order_lines, orders]);
    let of_columns =
        "select column_name, owner, tags, status from system.columns where table_name = 'orders'";
    let mut seen = vec![
        "order_id,owner@larkfield.example,[],active",
        "region,owner@larkfield.example,[],active",
        "total,owner@larkfield.example,[],active",
        "card,owner@larkfield.example,[card-tag],active",
    ];
    assert_eq!(lines(&bench, &anna(), of_columns).await, seen);
    seen.push("margin,owner@larkfield.example,[margin-tag],active");
    assert_eq!(lines(&bench, &auditor(), of_columns).await, seen);
    let rules = "select table_name, rule, kind, set_by, why, owner from system.policies";
    assert_eq!(
        lines(&bench, &anna(), rules).await,
        ["orders,analysts-own-regions,grant,owner,Analysts work on their regions.,sales@larkfield.example"]
    );
    for table in ["products", "columns", "policies"] {
        let sql = format!("select * from system.{table}");
        assert_eq!(lines(&bench, &otto(), &sql).await.len(), 0, "{table}");
        let text = bench.table(&anna(), &sql).await;
        assert!(HIDDEN.iter().all(|hidden| !text.contains(hidden)), "{text}");
    }
    // A rule about what the caller does not see is none of its rules; the twin sees both.
    bench.sales_policy(&format!(
        "{SALES_POLICY}restrictions:\n  - {{ id: margins, why: Not yet., tables: [orders], columns: [margin], mask: nullify }}\n"
    ));
    assert_eq!(lines(&bench, &anna(), rules).await.len(), 1);
    assert!(
        lines(&bench, &auditor(), rules)
            .await
            .contains(&"orders,margins,mask,owner,Not yet.,sales@larkfield.example".to_owned())
    );
    assert!(bench.sales.scans().is_empty(), "no domain is asked for what there is");
    assert_eq!(lines(&bench, &token("olga", "owner"), rules).await.len(), 1);
}
