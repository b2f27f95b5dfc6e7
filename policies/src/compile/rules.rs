//! One rule to the tables it selects.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Condition, MaskId, Needs, TableAction, TableException, TableGrant, TableRestriction, Written,
    column_mask::ColumnMask,
    columns::{self, Part},
    compiler::Compiler,
    tables::{RuleOf, Selected},
};
use crate::{
    Digest, Table,
    decision::{RuleKind, RuleRef},
    digest::DigestBuilder,
    document::{Action, Exception, Grant, Matcher, Restriction, RowsSpec, Sql, Where},
    expression::{self, Expr, can_be_computed},
    yaml::{Problem, Warning},
};

/// What a grant says about one table, before its claims are known as a whole.
struct GrantOnTable {
    table: usize,
    lists: Vec<bool>,
    masks: Vec<Option<MaskId>>,
    rows: Option<Expr>,
    written: Written,
}

impl Compiler<'_> {
    pub(super) fn grant(&mut self, grant: &Grant, own: &BTreeMap<String, Sql>) {
        let selected = self.select(Some(&grant.selection), RuleOf::OwnerGrant, &grant.at);
        self.check_columns(&selected, &grant.columns, RuleOf::OwnerGrant, &grant.at);
        for (pattern, _) in &grant.masks {
            self.check_column(&selected, pattern, &grant.at);
        }
        self.check_rows_map(&grant.rows, &selected, &grant.at);
        let when = grant.when.as_ref().and_then(|sql| self.when(sql, &grant.id));
        let mut parts = Vec::with_capacity(selected.tables.len());
        for table in selected.tables {
            parts.extend(self.grant_on_table(grant, table, own));
        }
        let needs = self.grant_needs(when.as_ref(), &parts);
        let to = Arc::new(grant.to.clone());
        let rule =
            RuleRef { id: grant.id.clone(), kind: RuleKind::Grant, operator: false, why: grant.why.clone() };
        for part in parts {
            let digest = self.grant_digest(grant, when.as_ref(), &part);
            let Some(policy) = self.policies.get_mut(part.table) else { continue };
            policy.grants.push(TableGrant {
                rule: rule.clone(),
                written: part.written,
                digest,
                to: Arc::clone(&to),
                when: when.clone(),
                purpose: grant.purpose.clone(),
                until: grant.until,
                needs: needs.clone(),
                lists: part.lists,
                masks: part.masks,
                rows: part.rows,
            });
        }
    }

    fn grant_on_table(
        &mut self,
        grant: &Grant,
        table: usize,
        own: &BTreeMap<String, Sql>,
    ) -> Option<GrantOnTable> {
        let source = *self.tables.get(table)?;
        // A field alone is not granted: there is no column without the others.
        let parts = columns::select(source, &grant.columns, &self.mesh.words);
        let lists: Vec<bool> = parts.iter().map(|part| *part == Part::Whole).collect();
        let mut written = self.written(&grant.rows, source);
        let mut masks = Vec::with_capacity(lists.len());
        for (index, (column, listed)) in source.columns.iter().zip(&lists).enumerate() {
            let mask = if *listed { self.grant_mask(grant, column) } else { ColumnMask::Unmasked };
            written.masks.extend(mask.text(column).map(|text| (index, text)));
            masks.push(self.column_mask(table, index, &mask, own, &grant.at));
        }
        let rows = self.rows(&grant.rows, source, &grant.id, &grant.at);
        Some(GrantOnTable { table, lists, masks, rows, written })
    }

    /// The rows of a rule as they are written for a table.
    fn written(&self, rows: &RowsSpec, table: &Table) -> Written {
        Written {
            contact: self.contact.clone(),
            rows: rows.for_table(table).map(|sql| sql.text.clone()),
            masks: BTreeMap::new(),
        }
    }

    /// All claims of a grant, whatever table they are read for: a grant
    /// applies as a whole or not at all.
    fn grant_needs(&self, when: Option<&Condition>, parts: &[GrantOnTable]) -> Needs {
        let mut names = BTreeSet::new();
        if let Some(when) = when {
            self.read_by(&when.expr, &mut names);
        }
        for part in parts {
            if let Some(rows) = &part.rows {
                self.read_by(rows, &mut names);
            }
            for id in part.masks.iter().flatten() {
                names.extend(self.mask_needs(part.table, *id));
            }
        }
        self.needs(names)
    }

    fn mask_needs(&self, table: usize, id: MaskId) -> Vec<String> {
        let mask = self.policies.get(table).and_then(|policy| policy.masks.get(id.0));
        mask.map(|mask| mask.needs.0.keys().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn restriction(
        &mut self,
        restriction: &Restriction,
        own: &BTreeMap<String, Sql>,
        operator: bool,
    ) {
        let of = if operator { RuleOf::Operator } else { RuleOf::OwnerRestriction };
        let selected = self.select(restriction.selection.as_ref(), of, &restriction.at);
        match &restriction.action {
            Action::Mask(columns, _) | Action::Hide(columns) => {
                self.check_columns(&selected, columns, of, &restriction.at);
            }
            Action::Rows(rows) if !operator => self.check_rows_map(rows, &selected, &restriction.at),
            Action::Rows(_) | Action::Deny => {}
        }
        let when = restriction.when.as_ref().and_then(|sql| self.when(sql, &restriction.id));
        let unless: Vec<TableException> =
            restriction.unless.iter().map(|exception| self.exception(exception, &restriction.id)).collect();
        let (to, unless) = (Arc::new(restriction.to.clone()), Arc::new(unless));
        for table in selected.tables {
            let Some((kind, action)) = self.action_on_table(restriction, table, own) else { continue };
            let rule = RuleRef { id: restriction.id.clone(), kind, operator, why: restriction.why.clone() };
            let digest = self.restriction_digest(&rule, table, (&to, when.as_ref(), &unless), &action);
            let written = self.written_restriction(restriction, table);
            let (to, unless, when) = (Arc::clone(&to), Arc::clone(&unless), when.clone());
            if let Some(policy) = self.policies.get_mut(table) {
                policy.restrictions.push(TableRestriction {
                    rule,
                    written,
                    digest,
                    to,
                    when,
                    unless,
                    action,
                });
            }
        }
    }

    fn written_restriction(&self, restriction: &Restriction, table: usize) -> Written {
        let Some(source) = self.tables.get(table) else { return Written::default() };
        match &restriction.action {
            Action::Rows(rows) => self.written(rows, source),
            Action::Mask(selection, mask) => {
                let parts = columns::select(source, selection, &self.mesh.words);
                let columns = source.columns.iter().zip(parts).enumerate();
                let masks = columns.filter_map(|(index, (column, part))| {
                    let mask = ColumnMask::of_part(part, (mask, restriction.at.line));
                    mask.text(column).map(|text| (index, text))
                });
                Written { masks: masks.collect(), ..self.written(&RowsSpec::All, source) }
            }
            Action::Hide(_) | Action::Deny => self.written(&RowsSpec::All, source),
        }
    }

    /// What a restriction does to a table; `None` if it selects none of its columns.
    fn action_on_table(
        &mut self,
        restriction: &Restriction,
        table: usize,
        own: &BTreeMap<String, Sql>,
    ) -> Option<(RuleKind, TableAction)> {
        let source = *self.tables.get(table)?;
        match &restriction.action {
            Action::Deny => Some((RuleKind::Deny, TableAction::Deny)),
            Action::Rows(rows) => {
                let expr = self.rows(rows, source, &restriction.id, &restriction.at)?;
                let needs = self.needs_of([&expr]);
                Some((RuleKind::Rows, TableAction::Rows(Condition { expr, needs })))
            }
            Action::Hide(selection) => {
                // With a field that nobody may know of, the whole column goes: a type names its fields.
                let parts = columns::select(source, selection, &self.mesh.words);
                let hidden: Vec<bool> = parts.iter().map(|part| *part != Part::Nothing).collect();
                hidden.contains(&true).then_some((RuleKind::Hide, TableAction::Hide(hidden)))
            }
            Action::Mask(selection, mask) => {
                let parts = columns::select(source, selection, &self.mesh.words);
                let any = parts.iter().any(|part| *part != Part::Nothing);
                let mut masks = Vec::with_capacity(parts.len());
                for (index, part) in parts.into_iter().enumerate() {
                    let mask = ColumnMask::of_part(part, (mask, restriction.at.line));
                    masks.push(self.column_mask(table, index, &mask, own, &restriction.at));
                }
                any.then_some((RuleKind::Mask, TableAction::Mask(masks)))
            }
        }
    }

    fn exception(&mut self, exception: &Exception, id: &str) -> TableException {
        TableException {
            to: exception.to.clone(),
            when: exception.when.as_ref().and_then(|sql| self.when(sql, id)),
            purpose: exception.purpose.clone(),
        }
    }

    /// A condition over the caller alone.
    fn when(&mut self, sql: &Sql, id: &str) -> Option<Condition> {
        match expression::condition(&sql.text, self.scope(None)) {
            Ok(expr) if can_be_computed(&expr) => {
                self.check_spelling_in(&expr, &sql.at);
                let needs = self.needs_of([&expr]);
                Some(Condition { expr, needs })
            }
            Ok(_) => {
                let message = format!("`when` of `{id}` computes with floats, TRY_CAST or timestamps");
                let hint = "compare claims with literals, dates with today()";
                self.problem(Problem::error(&sql.at.file, sql.at.line, message).with_hint(hint));
                None
            }
            Err(error) => {
                let mut problem =
                    Problem::error(&sql.at.file, sql.at.line, format!("`when` of `{id}`: {error}"));
                problem.hint = error.hint;
                self.problem(problem);
                None
            }
        }
    }

    fn rows(&mut self, rows: &RowsSpec, table: &Table, id: &str, at: &Where) -> Option<Expr> {
        let Some(sql) = rows.for_table(table) else {
            if !matches!(rows, RowsSpec::All) {
                let message = format!("`rows` of `{id}` has no entry for the table `{}`", table.name);
                let hint = format!("add {}: \"true\" for all its rows", table.name);
                self.problem(Problem::error(&at.file, at.line, message).with_hint(hint));
            }
            return None;
        };
        match expression::condition(&sql.text, self.scope(Some(table))) {
            Ok(expr) => {
                self.check_spelling_in(&expr, &sql.at);
                Some(expr)
            }
            Err(error) => {
                let message = format!("`rows` of `{id}` on `{}`: {error}", table.name);
                let mut problem = Problem::error(&sql.at.file, sql.at.line, message);
                problem.hint = error.hint;
                self.problem(problem);
                None
            }
        }
    }

    /// An entry for a table that is not selected would never be looked at.
    fn check_rows_map(&mut self, rows: &RowsSpec, selected: &Selected, at: &Where) {
        let RowsSpec::PerTable(entries) = rows else { return };
        let names: BTreeSet<&str> = selected
            .tables
            .iter()
            .filter_map(|position| self.tables.get(*position))
            .map(|table| table.name.as_str())
            .collect();
        for (pattern, _) in entries.iter().filter(|(pattern, _)| !names.contains(pattern.text.as_str())) {
            let message = format!("`rows` names the table `{}`, which is not selected", pattern.text);
            let problem = if selected.some_missing {
                Problem::warning(Warning::NothingSelected, &at.file, pattern.line, message)
            } else {
                Problem::error(&at.file, pattern.line, message)
            };
            self.problem(problem);
        }
    }

    fn grant_digest(&self, grant: &Grant, when: Option<&Condition>, part: &GrantOnTable) -> Digest {
        let builder = DigestBuilder::new("meshgate-grant-v1").part(grant.id.as_bytes());
        let builder = caller_parts(builder, &grant.to, when, grant.purpose.as_deref());
        let masks = part.masks.iter().filter_map(|mask| self.mask_expr(part.table, *mask));
        builder
            .parts(grant.until.iter().map(|day| day.to_be_bytes()))
            .parts(part.lists.iter().map(|listed| [u8::from(*listed)]))
            .parts(part.masks.iter().map(|mask| self.mask_text(part.table, *mask)))
            .parts(part.rows.iter().map(ToString::to_string))
            .parts(self.lookup_digests(part.rows.iter().chain(masks)).iter().map(Digest::as_bytes))
            .finish()
    }

    fn restriction_digest(
        &self,
        rule: &RuleRef,
        table: usize,
        (to, when, unless): (&Matcher, Option<&Condition>, &[TableException]),
        action: &TableAction,
    ) -> Digest {
        let mut builder = DigestBuilder::new("meshgate-restriction-v1")
            .part(rule.id.as_bytes())
            .part(&[u8::from(rule.operator)]);
        builder = caller_parts(builder, to, when, None).part(&(unless.len() as u64).to_be_bytes());
        for exception in unless {
            let nobody = Matcher::default();
            let to = exception.to.as_ref();
            builder = builder.part(&[u8::from(to.is_some())]);
            builder = caller_parts(
                builder,
                to.unwrap_or(&nobody),
                exception.when.as_ref(),
                exception.purpose.as_deref(),
            );
        }
        let builder = match action {
            TableAction::Deny => builder.part(b"deny"),
            TableAction::Rows(rows) => builder
                .part(b"rows")
                .part(rows.expr.to_string().as_bytes())
                .parts(self.lookup_digests([&rows.expr]).iter().map(Digest::as_bytes)),
            TableAction::Hide(hidden) => {
                builder.part(b"hide").parts(hidden.iter().map(|hidden| [u8::from(*hidden)]))
            }
            TableAction::Mask(masks) => {
                let exprs = masks.iter().filter_map(|mask| self.mask_expr(table, *mask));
                builder
                    .part(b"mask")
                    .parts(masks.iter().map(|mask| self.mask_text(table, *mask)))
                    .parts(self.lookup_digests(exprs).iter().map(Digest::as_bytes))
            }
        };
        builder.finish()
    }

    fn mask_text(&self, table: usize, mask: Option<MaskId>) -> String {
        self.mask_expr(table, mask).map(ToString::to_string).unwrap_or_default()
    }

    fn mask_expr(&self, table: usize, mask: Option<MaskId>) -> Option<&Expr> {
        self.policies.get(table)?.masks.get(mask?.0).map(|mask| &mask.expr)
    }
}

impl TableRestriction {
    /// All that it reads of the caller's claims, but for those of its masks.
    pub(crate) fn needs(&self) -> Vec<&Needs> {
        let whens = self.unless.iter().filter_map(|exception| exception.when.as_ref()).chain(&self.when);
        let mut needs: Vec<&Needs> = whens.map(|when| &when.needs).collect();
        if let TableAction::Rows(rows) = &self.action {
            needs.push(&rows.needs);
        }
        needs
    }
}

/// The parts of a rule that say for whom it is.
fn caller_parts(
    builder: DigestBuilder,
    to: &Matcher,
    when: Option<&Condition>,
    purpose: Option<&str>,
) -> DigestBuilder {
    builder
        .part(&[u8::from(to.everyone)])
        .parts(to.roles.iter())
        .parts(to.groups.iter())
        .parts(to.subjects.iter())
        .parts(when.iter().map(|when| when.expr.to_string()))
        .parts(purpose.iter())
}
