//! The names of the functions that statements can use, as drivers group them.

use std::sync::Arc;

use datafusion::{
    catalog::EmptyCatalogProviderList, common::Result, execution::SessionState, logical_expr::Documentation,
};
use meshgate_engine::{Engine, QuerySettings};

/// Names of functions by the groups of `GetSqlInfo`, each sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FunctionNames {
    pub numeric: Vec<String>,
    pub string: Vec<String>,
    pub system: Vec<String>,
    pub date_time: Vec<String>,
}

impl FunctionNames {
    /// The functions of the engine's sessions.
    pub(crate) fn of(engine: &Engine) -> Result<Self> {
        let settings = QuerySettings { query_id: String::new(), instant: 0, zone: "UTC".to_owned() };
        let session = engine.session(settings, Arc::new(EmptyCatalogProviderList))?;
        let mut names = Self::default();
        for (name, section) in sections(&session) {
            names.group(section).push(name);
        }
        for group in [&mut names.numeric, &mut names.string, &mut names.system, &mut names.date_time] {
            group.sort_unstable();
            group.dedup();
        }
        Ok(names)
    }

    fn group(&mut self, section: &str) -> &mut Vec<String> {
        match section {
            "Math Functions" | "Statistical Functions" | "General Functions" | "Approximate Functions" => {
                &mut self.numeric
            }
            "String Functions"
            | "Regular Expression Functions"
            | "Binary String Functions"
            | "Hashing Functions" => &mut self.string,
            "Time and Date Functions" => &mut self.date_time,
            _ => &mut self.system,
        }
    }
}

/// Each function with the section of the engine's documentation it is in.
fn sections(session: &SessionState) -> Vec<(String, &'static str)> {
    let section =
        |documentation: Option<&Documentation>| documentation.map_or("", |known| known.doc_section.label);
    let scalar = session.scalar_functions().values();
    let aggregate = session.aggregate_functions().values();
    let window = session.window_functions().values();
    scalar
        .map(|function| (function.name().to_owned(), section(function.documentation())))
        .chain(aggregate.map(|function| (function.name().to_owned(), section(function.documentation()))))
        .chain(window.map(|function| (function.name().to_owned(), section(function.documentation()))))
        .collect()
}

#[cfg(test)]
mod tests {
    use meshgate_engine::EngineLimits;

    use super::*;

    #[test]
    fn functions_are_where_drivers_look_for_them() {
        let names = FunctionNames::of(&Engine::new(EngineLimits::default()).unwrap()).unwrap();
        let has = |group: &[String], name: &str| group.iter().any(|known| known == name);
        assert!(has(&names.numeric, "abs") && has(&names.numeric, "sum"));
        assert!(has(&names.string, "upper") && has(&names.string, "concat"));
        assert!(has(&names.date_time, "date_trunc"));
        assert!(has(&names.system, "coalesce"));
    }
}
