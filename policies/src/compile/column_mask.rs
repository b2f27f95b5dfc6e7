//! How one rule masks one column: as a whole, or some of the fields inside it.

use std::collections::BTreeMap;

use super::{
    MaskId,
    columns::{self, Part},
    compiler::Compiler,
    mask::MaskCompiler,
    nested::{self, FieldMasks},
};
use crate::{
    Column, DataType,
    document::{Grant, MaskSpec, Pattern, Sql, Where},
    expression::{Expr, FIELD_VALUE, Scope},
    yaml::Problem,
};

/// A mask and its line.
pub(super) type WrittenMask<'m> = (&'m MaskSpec, usize);

const NULLIFY: &MaskSpec = &MaskSpec::Nullify;
const REDACT: &MaskSpec = &MaskSpec::Redact;

/// A column's mask as a rule writes it.
pub(super) enum ColumnMask<'m> {
    Unmasked,
    Whole(WrittenMask<'m>),
    /// By the paths of the fields. Of two masks of one field the later counts, but NULL stays.
    Fields(Vec<(Vec<String>, WrittenMask<'m>)>),
}

impl<'m> ColumnMask<'m> {
    /// The same mask for all that is selected of a column.
    pub(super) fn of_part(part: Part, mask: WrittenMask<'m>) -> Self {
        match part {
            Part::Nothing => Self::Unmasked,
            Part::Whole => Self::Whole(mask),
            Part::Fields(paths) => Self::Fields(paths.into_iter().map(|path| (path, mask)).collect()),
        }
    }

    /// For those who may read rules.
    pub(super) fn text(&self, column: &Column) -> Option<String> {
        match self {
            Self::Unmasked => None,
            Self::Whole((mask, _)) => Some(mask.for_type(&column.data_type).to_string()),
            Self::Fields(masks) => {
                let texts: Vec<String> = masks
                    .iter()
                    .filter_map(|(path, (mask, _))| {
                        let mask = mask.for_type(&column.field(path)?.data_type);
                        Some(format!("{}: {mask}", nested::name(&column.name, path)))
                    })
                    .collect();
                (!texts.is_empty()).then(|| texts.join(", "))
            }
        }
    }
}

impl Compiler<'_> {
    /// How a grant masks a column that it lists: what it masks, and what its selection leaves out.
    pub(super) fn grant_mask<'m>(&mut self, grant: &'m Grant, column: &Column) -> ColumnMask<'m> {
        let left_out = columns::left_out(column, &grant.columns, &self.mesh.words);
        let mut fields = Vec::new();
        for (path, _) in nested::fields(&column.data_type) {
            let name = nested::name(&column.name, &path);
            fields.extend(self.mask_for(&name, &grant.masks, &grant.at).map(|mask| (path, mask)));
        }
        let Some(whole) = self.mask_for(&column.name, &grant.masks, &grant.at) else {
            // Behind those that are written: what is left out is NULL.
            fields.extend(left_out.into_iter().map(|path| (path, (NULLIFY, grant.at.line))));
            return if fields.is_empty() { ColumnMask::Unmasked } else { ColumnMask::Fields(fields) };
        };
        if !fields.is_empty() {
            let message = format!("`{}` is masked as a whole and field by field", column.name);
            self.problem(Problem::error(&grant.at.file, whole.1, message).with_hint("keep one of the two"));
        }
        // A mask of the whole might show what is left out.
        ColumnMask::Whole(if left_out.is_empty() { whole } else { (REDACT, whole.1) })
    }

    /// Compiles the mask of a column; `None` if there is none, or after a problem.
    pub(super) fn column_mask(
        &mut self,
        table: usize,
        index: usize,
        mask: &ColumnMask<'_>,
        own: &BTreeMap<String, Sql>,
        at: &Where,
    ) -> Option<MaskId> {
        match mask {
            ColumnMask::Unmasked => None,
            ColumnMask::Whole(mask) => self.whole_mask(table, index, *mask, own, at),
            ColumnMask::Fields(masks) => self.field_masks(table, index, masks, own, at),
        }
    }

    fn whole_mask(
        &mut self,
        table: usize,
        index: usize,
        (spec, line): WrittenMask<'_>,
        own: &BTreeMap<String, Sql>,
        at: &Where,
    ) -> Option<MaskId> {
        let source = *self.tables.get(table)?;
        let column = source.columns.get(index)?;
        let scope = Scope { cell: Some(index), ..self.scope(Some(source)) };
        let name = format!("{}.{}", source.name, column.name);
        match (MaskCompiler { name: &name, scope, own, at, line }).compile(spec) {
            Ok(expr) => self.mask_id(table, expr),
            Err(problem) => {
                self.problem(problem);
                None
            }
        }
    }

    fn field_masks(
        &mut self,
        table: usize,
        index: usize,
        masks: &[(Vec<String>, WrittenMask<'_>)],
        own: &BTreeMap<String, Sql>,
        at: &Where,
    ) -> Option<MaskId> {
        let source = *self.tables.get(table)?;
        let column = source.columns.get(index)?;
        let mut compiled = FieldMasks::new();
        for (path, (spec, line)) in masks {
            let Some(field) = column.field(path) else { continue };
            let cell = [field_cell(&field.data_type)];
            let name = nested::name(&format!("{}.{}", source.name, column.name), path);
            // The field alone: neither the row around it nor the keys of lookups.
            let scope = Scope { columns: &cell, cell: Some(0), ..self.scope(None) };
            match (MaskCompiler { name: &name, scope, own, at, line: *line }).compile(spec) {
                Ok(mask) => nested::place(&mut compiled, &column.data_type, path.clone(), mask),
                Err(problem) => self.problem(problem),
            }
        }
        if compiled.is_empty() {
            return None;
        }
        let (name, data_type) = (column.name.clone(), column.data_type.clone());
        self.mask_id(table, nested::masked(Expr::Column { index, name, data_type }, compiled))
    }

    /// The mask that is written for a column, or for a field by its dotted name: by name before by a glob.
    fn mask_for<'m>(
        &mut self,
        name: &str,
        masks: &'m [(Pattern, MaskSpec)],
        at: &Where,
    ) -> Option<WrittenMask<'m>> {
        if let Some((pattern, mask)) = masks.iter().find(|(pattern, _)| pattern.text == name) {
            return Some((mask, pattern.line));
        }
        // `*` is for columns, `address.*` for the fields of one.
        let of_field = name.contains('.');
        let mut matching = masks
            .iter()
            .filter(|(pattern, _)| columns::is_of_field(pattern) == of_field && pattern.matches(name));
        let (pattern, mask) = matching.next()?;
        if let Some((other, _)) = matching.next() {
            let message = format!("`{}` and `{}` both mask `{name}`", pattern.text, other.text);
            self.problem(
                Problem::error(&at.file, other.line, message).with_hint(format!("name `{name}` itself")),
            );
        }
        Some((mask, pattern.line))
    }
}

/// A field as the only column that its mask can read.
fn field_cell(data_type: &DataType) -> Column {
    Column {
        name: FIELD_VALUE.to_owned(),
        data_type: data_type.clone(),
        required: false,
        classification: None,
        tags: Vec::new(),
        nested: Vec::new(),
    }
}
