//! How long decisions take. `cargo bench -p meshgate-policies`; the figures
//! stand in docs/benchmarks.md.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark that cannot begin says why")]

use std::{fmt::Write, hint::black_box};

use criterion::{Criterion, criterion_group, criterion_main};
use meshgate_policies::{
    ClaimValue, Column, DataType, Decision, Document, DomainPolicy, Mesh, Principal, Statement, Table,
};

const MESH: &str = "\
mesh: bench
timezone: Europe/Berlin
claims:
  regions: { path: $.regions, type: list<string> }
  level: { path: $.level, type: integer }
classifications: [internal, restricted]
tags: { pii: Identifies a person. }
";
const STATEMENT: Statement = Statement { instant: 1_795_390_200_000_000, zone: chrono_tz::Europe::Berlin };

fn table(product: &str, name: &str, columns: usize) -> Table {
    let column = |number: usize| Column {
        name: format!("c{number}"),
        data_type: if number.is_multiple_of(2) { DataType::Text } else { DataType::Int64 },
        required: number.is_multiple_of(3),
        classification: Some(if number.is_multiple_of(5) { "restricted" } else { "internal" }.to_owned()),
        tags: if number.is_multiple_of(7) { vec!["pii".to_owned()] } else { Vec::new() },
        nested: Vec::new(),
    };
    Table {
        domain: "sales".into(),
        product: product.into(),
        name: name.into(),
        columns: (0..columns).map(column).collect(),
        primary_key: Vec::new(),
    }
}

fn policy(rules: &str, tables: &[Table]) -> DomainPolicy {
    let (mesh, _) = Mesh::load("mesh.yaml", MESH).expect("the mesh of the benchmark loads");
    let text = format!("domain: sales\n{rules}");
    let document = Document { name: "sales.yaml".into(), text };
    match DomainPolicy::load("sales", &[document], &mesh, tables) {
        Ok((policy, _)) => policy,
        Err(problems) => panic!("{problems:#?}"),
    }
}

fn principal(roles: &[String]) -> Principal {
    Principal {
        issuer: "https://login.example".into(),
        subject: "anna".into(),
        roles: roles.iter().cloned().collect(),
        claims: [
            ("regions".to_owned(), ClaimValue::Texts(vec!["DE".into(), "AT".into()])),
            ("level".to_owned(), ClaimValue::Integer(3)),
        ]
        .into(),
        ..Principal::default()
    }
}

/// 700 grants and 300 restrictions on a table of 200 columns; a caller to
/// whom ten grants and ten restrictions apply.
fn one_table(bench: &mut Criterion) {
    let mut rules = String::from("grants:\n");
    for rule in 0..700 {
        let _ = writeln!(
            rules,
            "  - {{ id: g{rule}, to: {{ roles: [r{}] }}, tables: [wide], columns: {{ classification: [internal] }}, rows: \"claim_has('regions', c0) and c1 > {rule}\", masks: {{ \"c2*\": {{ text: redact, other: nullify }} }} }}",
            rule % 70
        );
    }
    rules.push_str("restrictions:\n");
    for rule in 0..300 {
        let action = match rule % 3 {
            0 => format!("rows: \"c3 <> {rule} or c3 is null\""),
            1 => "columns: { tags: [pii] }, mask: nullify".to_owned(),
            _ => "columns: [c11], hide: true".to_owned(),
        };
        let _ = writeln!(
            rules,
            "  - {{ id: x{rule}, to: {{ roles: [r{}] }}, tables: [wide], {action} }}",
            rule % 30
        );
    }
    let policy = policy(&rules, &[table("wide", "wide", 200)]);
    let mut caller = principal(&["r7".to_owned()]);
    assert!(matches!(policy.decide("wide", &caller, &STATEMENT), Decision::Visible(_)));
    bench.bench_function("decision, 1000 rules, 200 columns, warm", |bencher| {
        bencher.iter(|| policy.decide(black_box("wide"), &caller, &STATEMENT));
    });
    let mut number = 0;
    bench.bench_function("decision, 1000 rules, 200 columns, for somebody new", |bencher| {
        bencher.iter(|| {
            number += 1;
            caller.subject.clear();
            let _ = write!(caller.subject, "s{number}");
            policy.decide(black_box("wide"), &caller, &STATEMENT)
        });
    });
}

/// All tables that exist for a caller among 10,000 of five columns.
fn listing(bench: &mut Criterion) {
    let mut rules = String::from("grants:\n");
    let mut tables = Vec::new();
    for product in 0..100 {
        let _ = writeln!(
            rules,
            "  - {{ id: g{product}, to: {{ roles: [r{product}, all] }}, products: [p{product}], columns: all, rows: \"claim_has('regions', c0)\" }}"
        );
        for number in 0..100 {
            tables.push(table(&format!("p{product}"), &format!("t{product}_{number}"), 5));
        }
    }
    let policy = policy(&rules, &tables);
    for (name, role, expected) in [("100 of them", "r7", 100), ("all of them", "all", 10_000)] {
        let caller = principal(&[role.to_owned()]);
        let list = || {
            let visible =
                |table: &&str| matches!(policy.decide(table, &caller, &STATEMENT), Decision::Visible(_));
            policy.open_tables(&caller).into_iter().filter(visible).count()
        };
        assert_eq!(list(), expected);
        bench.bench_function(&format!("listing 10,000 tables, {name} visible, warm"), |bencher| {
            bencher.iter(|| black_box(list()));
        });
    }
    let mut number = 0;
    bench.bench_function("listing 10,000 tables, all of them visible, for somebody new", |bencher| {
        bencher.iter(|| {
            number += 1;
            let caller = Principal { subject: format!("s{number}"), ..principal(&["all".to_owned()]) };
            let visible =
                |table: &&str| matches!(policy.decide(table, &caller, &STATEMENT), Decision::Visible(_));
            black_box(policy.open_tables(&caller).into_iter().filter(visible).count())
        });
    });
}

criterion_group!(benches, one_table, listing);
criterion_main!(benches);
