//! `meshgate policy explain`: which rules make a table what it is for a persona,
//! and why the others do not.

use std::{fmt::Write as _, path::PathBuf};

use chrono::NaiveDate;
use clap::Args;
use meshgate_policies::{Absence, Effect, EffectKind, RuleKind, RuleRef, Standing, yaml::nearest_hint};
use serde_json::{Value, json};

use super::{
    day,
    offline::{Offline, Session},
    personas::{self, Caller},
    report as outcomes,
    view::{Shown, View},
    workspace::Workspace,
};
use crate::{check::report, failure::Failure, format::TextOrJson, sql};

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The domain's folder, with node.yaml.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Who asks.
    #[arg(long = "as", value_name = "PERSONA")]
    persona: String,
    /// A table.
    #[arg(long, required_unless_present = "sql", conflicts_with = "sql")]
    table: Option<String>,
    /// A statement, in place of a table: the tables that it reads.
    #[arg(long, value_name = "STATEMENT")]
    sql: Option<String>,
    /// The day, as YYYY-MM-DD; today if not given.
    #[arg(long, value_name = "DAY")]
    today: Option<NaiveDate>,
    #[arg(long, value_enum, default_value_t)]
    format: TextOrJson,
}

pub(crate) async fn run(arguments: ExplainArguments) -> Result<(), Failure> {
    let workspace = match Workspace::open(&arguments.folder)? {
        Ok(workspace) => workspace,
        Err(problems) => return outcomes::unusable("explain", &problems, arguments.format.into()),
    };
    let mut problems = Vec::new();
    let callers = personas::of_repository(&workspace.folder, workspace.domain.mesh(), &mut problems);
    if !problems.is_empty() {
        return outcomes::unusable("explain", &problems, arguments.format.into());
    }
    let known = || callers.iter().map(|caller| caller.persona.name.as_str());
    let caller = callers.iter().find(|caller| caller.persona.name == arguments.persona);
    let caller = caller
        .ok_or_else(|| no_such("persona", &arguments.persona, nearest_hint(&arguments.persona, known())))?;
    let zone = workspace.domain.mesh().time_zone();
    let today = arguments.today.unwrap_or_else(|| day::today(zone));
    let instant =
        day::noon(today, zone).ok_or_else(|| Failure::Usage(format!("{today} is not a day here")))?;
    let folder = tempfile::tempdir().map_err(|error| Failure::Usage(error.to_string()))?;
    let offline = Offline::new()?;
    let session = offline.open(&workspace.domain, &workspace.domain.data(), instant, folder.path())?;
    let tables = tables(&session, &arguments, caller).await?;
    let mut explained = Vec::with_capacity(tables.len());
    for table in &tables {
        explained.push(Explained::new(&session, table, caller).await);
    }
    sql::print(&match arguments.format {
        TextOrJson::Text => explained.iter().map(Explained::text).collect::<Vec<_>>().join("\n"),
        TextOrJson::Json => {
            let tables: Vec<Value> = explained.iter().map(Explained::json).collect();
            report::pretty(
                &json!({ "as": caller.persona.name, "today": today.to_string(), "tables": tables }),
            )?
        }
    })
}

fn no_such(what: &str, name: &str, hint: Option<String>) -> Failure {
    let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    Failure::Usage(format!("there is no {what} `{name}`{hint}"))
}

async fn tables(
    session: &Session<'_>,
    arguments: &ExplainArguments,
    caller: &Caller,
) -> Result<Vec<String>, Failure> {
    if let Some(sql) = &arguments.sql {
        let answer = session.gateway.query(&caller.principal, sql).await;
        return answer.map(|answer| answer.tables).map_err(|refused| Failure::Found(refused.text));
    }
    let named = arguments.table.as_deref().unwrap_or_default();
    let prefix = format!("{}.", session.domain.name());
    let table = named.strip_prefix(&prefix).unwrap_or(named);
    if session.domain.table(table).is_none() {
        let known = session.domain.tables().map(|table| table.name.as_str());
        return Err(no_such("table", table, nearest_hint(table, known)));
    }
    Ok(vec![table.to_owned()])
}

/// A table, explained.
struct Explained {
    title: String,
    summary: String,
    /// Rule, whose, and what it does or why it does not.
    rules: Vec<Rule>,
    columns: Vec<Column>,
}

struct Rule {
    id: String,
    set_by: &'static str,
    why: Option<String>,
    applies: bool,
    words: String,
}

struct Column {
    name: String,
    shown: String,
    by: String,
}

impl Explained {
    async fn new(session: &Session<'_>, table: &str, caller: &Caller) -> Self {
        let (policy, statement) = (session.domain.policy(), &session.statement);
        let view = View::new(session, table, caller);
        let explanation = policy.explain_to_owner(table, &caller.principal, statement);
        let effects = explanation.map(|explanation| explanation.effects).unwrap_or_default();
        let account = policy.account(table, &caller.principal, statement);
        let (rules, absent) = account.map(|account| (account.rules, account.absent)).unwrap_or_default();
        let rules = rules.into_iter().map(|account| {
            let rule = account.rule;
            let applies = account.standing == Standing::Applies;
            let words = match applies {
                true => effect(rule, &effects, account.rows, &absent),
                false => why_not(&account.standing, account.rows),
            };
            Rule { id: rule.id.clone(), set_by: set_by(rule), why: rule.why.clone(), applies, words }
        });
        let by = |name: &str| match absent.iter().find(|(column, _)| *column == name) {
            Some((_, Absence::HiddenBy(rule))) => format!("hidden by {}", rule.id),
            Some((_, Absence::NotListed)) => "no grant that applies lists it".to_owned(),
            None => of_column(name, &effects),
        };
        let columns = view.columns.iter().map(|(name, shown)| Column {
            name: name.clone(),
            shown: shown.words(),
            by: by(name),
        });
        Self {
            title: format!("{}, {}.{table}", caller.persona.name, session.domain.name()),
            summary: summary(session, table, &view).await,
            rules: rules.collect(),
            columns: columns.collect(),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{}: {}\n\n", self.title, self.summary);
        let width = self.rules.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
        for rule in &self.rules {
            let mark = if rule.applies { "applies" } else { "-" };
            let _ = writeln!(text, "  {:<width$}  {:<8}  {mark:<7}  {}", rule.id, rule.set_by, rule.words);
            if let (true, Some(why)) = (rule.applies, &rule.why) {
                let _ = writeln!(text, "  {:<width$}  {why}", "");
            }
        }
        text.push('\n');
        let width = self.columns.iter().map(|column| column.name.len()).max().unwrap_or_default();
        let shown = self.columns.iter().map(|column| column.shown.chars().count()).max().unwrap_or_default();
        for column in &self.columns {
            let _ = writeln!(text, "  {:<width$}  {:<shown$}  {}", column.name, column.shown, column.by);
        }
        text
    }

    fn json(&self) -> Value {
        let rule = |rule: &Rule| json!({ "rule": rule.id, "set_by": rule.set_by, "why": rule.why, "applies": rule.applies, "effect": rule.words });
        let column =
            |column: &Column| json!({ "column": column.name, "shown": column.shown, "by": column.by });
        json!({
            "table": self.title.rsplit(' ').next(),
            "summary": self.summary,
            "rules": self.rules.iter().map(rule).collect::<Vec<_>>(),
            "columns": self.columns.iter().map(column).collect::<Vec<_>>(),
        })
    }
}

async fn summary(session: &Session<'_>, table: &str, view: &View) -> String {
    if view.decision.is_none() {
        return "there is no such table".to_owned();
    }
    let visible = view.columns.iter().filter(|(_, shown)| *shown != Shown::Absent).count();
    let columns = format!("{visible} of {} columns", view.columns.len());
    match view.rows(session, table).await {
        Some(rows) => format!("{columns}, {} of {} rows", rows.visible, rows.total),
        None => format!("{columns}; its data cannot be read here"),
    }
}

fn set_by(rule: &RuleRef) -> &'static str {
    if rule.operator { "operator" } else { "owner" }
}

/// What a rule that applies does.
fn effect(
    rule: &RuleRef,
    effects: &[Effect<'_>],
    rows: Option<&str>,
    absent: &[(&str, Absence<'_>)],
) -> String {
    if rule.kind == RuleKind::Deny {
        return "denies the table".to_owned();
    }
    let is_hidden = |absence: &Absence<'_>| *absence == Absence::HiddenBy(rule);
    let hidden = absent.iter().filter(|(_, absence)| is_hidden(absence)).map(|(column, _)| *column);
    let masked = effects.iter().filter(|effect| effect.rule == rule).filter_map(|effect| effect.column);
    let (word, columns): (&str, Vec<&str>) = match rule.kind {
        RuleKind::Hide => ("hides", hidden.collect()),
        RuleKind::Mask => ("masks", masked.collect()),
        _ => return of_rows(rule, effects, rows),
    };
    match columns.is_empty() {
        true => format!("{word} nothing that would be visible"),
        false => format!("{word} {}", columns.join(", ")),
    }
}

fn of_rows(rule: &RuleRef, effects: &[Effect<'_>], rows: Option<&str>) -> String {
    let effect = effects.iter().find(|effect| effect.column.is_none() && effect.rule == rule);
    let condition = rows.map(|rows| format!(": {rows}")).unwrap_or_default();
    match effect.map(|effect| effect.kind) {
        Some(EffectKind::GivesAllRows) => "gives all rows".to_owned(),
        Some(EffectKind::GivesSomeRows) => format!("gives some rows{condition}"),
        Some(EffectKind::GivesNoRows) => format!("gives no rows{condition}"),
        Some(EffectKind::KeepsSomeRows) => format!("keeps some rows{condition}"),
        Some(EffectKind::KeepsNoRows) => format!("keeps no rows{condition}"),
        _ => "has no effect on rows".to_owned(),
    }
}

fn why_not(standing: &Standing, rows: Option<&str>) -> String {
    match standing {
        Standing::Applies => String::new(),
        Standing::GivesNoRows => format!("gives no rows: {}", rows.unwrap_or_default()),
        Standing::NotTo => "is for others".to_owned(),
        Standing::OtherPurpose(purpose) => format!("is for the purpose {purpose}"),
        Standing::Ended(day) => format!("ended on {day}"),
        Standing::MissingClaims(claims) => format!("needs claims that are not there: {}", claims.join(", ")),
        Standing::WhenNotTrue => "`when` is not true".to_owned(),
        Standing::WhenFalse => "is lifted: `when` is false".to_owned(),
        Standing::Excused => "is lifted by `unless`".to_owned(),
    }
}

/// The rules that decide about a visible column.
fn of_column(name: &str, effects: &[Effect<'_>]) -> String {
    let word = |kind| match kind {
        EffectKind::Shows => Some("shown by"),
        EffectKind::ShowsOnItsRows => Some("shown on its rows by"),
        EffectKind::Masks => Some("masked by"),
        EffectKind::Redacts => Some("redacted by"),
        _ => None,
    };
    let of_column = effects.iter().filter(|effect| effect.column == Some(name));
    let told = of_column.filter_map(|effect| Some(format!("{} {}", word(effect.kind)?, effect.rule.id)));
    told.collect::<Vec<_>>().join(", ")
}
