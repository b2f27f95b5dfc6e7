//! The methods of the engine's two traits that secured tables implement. A new
//! one may be a new way through the barrier: decide what barrier and table
//! say to it, then add it here.

use std::{collections::BTreeMap, path::PathBuf, process::Command};

/// `TableProvider`, in `datafusion-session`.
const TABLE_PROVIDER: &[&str] = &[
    "constraints",
    "delete_from",
    "get_column_default",
    "get_logical_plan",
    "get_table_definition",
    "insert_into",
    "merge_into",
    "scan",
    "scan_with_args",
    "schema",
    "statistics",
    "supports_filters_pushdown",
    "table_type",
    "truncate",
    "update",
];

/// `ExecutionPlan`, in `datafusion-physical-plan`.
const EXECUTION_PLAN: &[&str] = &[
    "apply_expressions",
    "benefits_from_input_partitioning",
    "cardinality_effect",
    "check_invariants",
    "child_stats_requests",
    "children",
    "downcast_delegate",
    "dynamic_expressions_produced",
    "execute",
    "fetch",
    "gather_filters_for_pushdown",
    "handle_child_pushdown_result",
    "input_distribution_requirements",
    "maintains_input_order",
    "metrics",
    "name",
    "partition_statistics",
    "properties",
    "repartitioned",
    "replace_children",
    "required_input_distribution",
    "required_input_ordering",
    "reset_state",
    "schema",
    "static_name",
    "statistics_from_inputs",
    "supports_limit_pushdown",
    "try_pushdown_sort",
    "try_swapping_with_projection",
    // Only with the engine's feature `proto`.
    "try_to_proto",
    "with_fetch",
    "with_new_children",
    "with_new_children_and_same_properties",
    "with_new_state",
    "with_preserve_order",
];

/// Folders of the crates that this build uses.
fn crate_folders() -> BTreeMap<String, PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // Of this platform only: crates for others need not be on this machine.
    let compiler = Command::new("rustc").arg("-vV").output().unwrap();
    let about = String::from_utf8(compiler.stdout).unwrap();
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
            let name = package["name"].as_str().unwrap().to_owned();
            (name, manifest.parent().unwrap().to_owned())
        })
        .collect()
}

/// The methods that one trait declares, sorted.
fn methods(source: &str, declaration: &str) -> Vec<String> {
    let start = source.lines().position(|line| line.starts_with(declaration)).unwrap();
    let body = source.lines().skip(start + 1).take_while(|line| *line != "}");
    let mut found: Vec<String> = body
        .filter_map(|line| {
            let declared = line.strip_prefix("    ")?;
            let declared = declared.strip_prefix("async ").unwrap_or(declared);
            let name = declared.strip_prefix("fn ")?;
            Some(name.split(['(', '<']).next().unwrap().to_owned())
        })
        .collect();
    found.sort();
    found
}

#[test]
fn every_method_of_the_engines_traits_is_known() {
    let folders = crate_folders();
    let read = |name: &str, file: &str| std::fs::read_to_string(folders[name].join(file)).unwrap();
    let provider = read("datafusion-session", "src/table.rs");
    assert_eq!(methods(&provider, "pub trait TableProvider"), TABLE_PROVIDER);
    let plan = read("datafusion-physical-plan", "src/execution_plan.rs");
    assert_eq!(methods(&plan, "pub trait ExecutionPlan:"), EXECUTION_PLAN);
}
