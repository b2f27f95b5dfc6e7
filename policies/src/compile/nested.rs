//! Fields inside columns of structs and of lists of structs, and masks for them.

use std::collections::BTreeMap;

use super::mask::redact;
use crate::{
    DataType,
    data_type::Field,
    expression::{Expr, Function},
};

/// Masks by the path of the field.
pub(crate) type FieldMasks = BTreeMap<Vec<String>, Expr>;

/// All fields inside a type, at any depth.
pub(crate) fn fields(data_type: &DataType) -> Vec<(Vec<String>, &Field)> {
    let mut found = Vec::new();
    collect(data_type, &[], &mut found);
    found
}

fn collect<'t>(data_type: &'t DataType, outside: &[String], found: &mut Vec<(Vec<String>, &'t Field)>) {
    match data_type {
        DataType::List(element) => collect(&element.data_type, outside, found),
        DataType::Struct(fields) => {
            for field in fields {
                let path: Vec<String> = outside.iter().chain([&field.name]).cloned().collect();
                found.push((path.clone(), field));
                collect(&field.data_type, &path, found);
            }
        }
        _ => {}
    }
}

/// How a field inside a column is called.
pub(crate) fn name(column: &str, path: &[String]) -> String {
    format!("{column}.{}", path.join("."))
}

/// The field at a path.
pub(crate) fn field<'t>(data_type: &'t DataType, path: &[String]) -> Option<&'t Field> {
    let (name, rest) = path.split_first()?;
    match data_type {
        DataType::List(element) => field(&element.data_type, path),
        DataType::Struct(fields) => {
            let found = fields.iter().find(|field| field.name == *name)?;
            if rest.is_empty() { Some(found) } else { field(&found.data_type, rest) }
        }
        _ => None,
    }
}

/// Adds the mask of a field, where it can stand. NULL stays: it is what denies.
pub(super) fn place(masks: &mut FieldMasks, data_type: &DataType, path: Vec<String>, mask: Expr) {
    let (path, mask) = placed(data_type, path, mask);
    if !masks.get(&path).is_some_and(is_null) {
        masks.insert(path, mask);
    }
}

fn is_null(mask: &Expr) -> bool {
    matches!(mask, Expr::Null(_))
}

/// The mask of a field where it can stand: one that may give NULL for a field
/// that cannot be NULL makes what is around the field NULL instead.
fn placed(data_type: &DataType, mut path: Vec<String>, mask: Expr) -> (Vec<String>, Expr) {
    let nullable = |path: &[String]| field(data_type, path).is_some_and(|field| field.nullable);
    if path.is_empty() || nullable(&path) || !may_be_null(&mask) {
        return (path, mask);
    }
    while path.pop().is_some() {
        if nullable(&path) {
            let around = field(data_type, &path).map(|field| field.data_type.clone());
            return (path, Expr::Null(around.unwrap_or(DataType::Boolean)));
        }
    }
    (path, Expr::Null(data_type.clone()))
}

/// May the mask give NULL for a value that is none?
fn may_be_null(mask: &Expr) -> bool {
    match mask {
        Expr::Literal(_) => false,
        Expr::Call { function, .. } => {
            let never = matches!(
                function,
                Function::KeepLast(_)
                    | Function::KeepFirst(_)
                    | Function::EmailDomain
                    | Function::Pseudonym(_)
            );
            !never
        }
        _ => true,
    }
}

/// The column with its fields masked. What lies inside a masked field goes with it.
pub(super) fn masked(column: Expr, masks: FieldMasks) -> Expr {
    let data_type = column.data_type();
    let mut fields: Vec<(Vec<String>, Expr)> = Vec::with_capacity(masks.len());
    // In order, a path stands behind those that lead to it.
    for (path, mask) in without_views(&data_type, masks) {
        if path.is_empty() {
            return Expr::Null(data_type);
        }
        if !fields.iter().any(|(around, _)| path.starts_with(around)) {
            fields.push((path, mask));
        }
    }
    Expr::MaskFields { column: Box::new(column), fields }
}

/// A mask around a masked field might show that field as it is: unless it gives NULL, it becomes `redact`.
fn without_views(data_type: &DataType, mut masks: FieldMasks) -> FieldMasks {
    while let Some(path) = view(&masks) {
        masks.remove(&path);
        let (path, redacted) = redacted(data_type, path);
        masks.insert(path, redacted);
    }
    masks
}

/// A field whose mask is not NULL, with a masked field inside.
fn view(masks: &FieldMasks) -> Option<Vec<String>> {
    let is_around =
        |path: &[String]| masks.keys().any(|inside| inside.len() > path.len() && inside.starts_with(path));
    masks.iter().find(|(path, mask)| !is_null(mask) && is_around(path)).map(|(path, _)| path.clone())
}

fn redacted(data_type: &DataType, path: Vec<String>) -> (Vec<String>, Expr) {
    match field(data_type, &path) {
        Some(field) => placed(data_type, path, redact(&field.data_type)),
        None => (Vec::new(), Expr::Null(data_type.clone())),
    }
}

/// Do two masks of one column leave each other as they are?
pub(crate) fn agree(left: &Expr, right: &Expr) -> bool {
    if left == right {
        return true;
    }
    let (Expr::MaskFields { fields, .. }, Expr::MaskFields { fields: others, .. }) = (left, right) else {
        return false;
    };
    fields.iter().all(|(path, mask)| {
        others.iter().all(|(other, masked)| {
            let apart = !path.starts_with(other) && !other.starts_with(path);
            apart || (path == other && mask == masked)
        })
    })
}

/// Two masks of fields of one column as one. Where they do not agree about a
/// field it is redacted: as with columns, two different masks never combine.
/// `None`: one of them is of the column as a whole.
pub(crate) fn both(left: &Expr, right: &Expr) -> Option<Expr> {
    let (Expr::MaskFields { column, fields }, Expr::MaskFields { fields: others, .. }) = (left, right) else {
        return None;
    };
    let data_type = column.data_type();
    let mut masks: FieldMasks = fields.iter().cloned().collect();
    for (path, mask) in others {
        let (path, mask) = match masks.get(path) {
            Some(known) if known != mask => redacted(&data_type, path.clone()),
            _ => (path.clone(), mask.clone()),
        };
        masks.insert(path, mask);
    }
    // Where one mask lies inside the field of another, `masked` redacts that.
    Some(masked(column.as_ref().clone(), masks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Literal;

    /// `struct<a, b!, c: struct<d!, e>, f: list<struct<g!>>>`
    fn data_type() -> DataType {
        let field = |name: &str, data_type, nullable| Field { name: name.into(), data_type, nullable };
        let inner =
            DataType::Struct(vec![field("d", DataType::Int64, false), field("e", DataType::Text, true)]);
        let element = DataType::Struct(vec![field("g", DataType::Int64, false)]);
        DataType::Struct(vec![
            field("a", DataType::Text, true),
            field("b", DataType::Text, false),
            field("c", inner, true),
            field("f", DataType::List(Box::new(field("item", element, true))), true),
        ])
    }

    fn path(text: &str) -> Vec<String> {
        text.split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    fn stars() -> Expr {
        Expr::Literal(Literal::Text("***".into()))
    }

    fn mask(masks: &[(&str, Expr)]) -> Expr {
        let column = Expr::Column { index: 0, name: "x".into(), data_type: data_type() };
        masked(column, masks.iter().map(|(at, mask)| (path(at), mask.clone())).collect())
    }

    fn fields_of(mask: &Expr) -> Vec<String> {
        let Expr::MaskFields { fields, .. } = mask else { return vec![mask.to_string()] };
        fields.iter().map(|(path, mask)| format!("{} {mask}", path.join("."))).collect()
    }

    #[test]
    fn fields_are_found_through_lists() {
        let names: Vec<String> = fields(&data_type()).iter().map(|(path, _)| path.join(".")).collect();
        assert_eq!(names, ["a", "b", "c", "c.d", "c.e", "f", "f.g"]);
        assert_eq!(field(&data_type(), &path("f.g")).unwrap().data_type, DataType::Int64);
        for nowhere in ["", "x", "a.b", "c.x", "f.item"] {
            assert_eq!(field(&data_type(), &path(nowhere)), None, "{nowhere}");
        }
    }

    #[test]
    fn a_field_that_cannot_be_null_makes_null_what_is_around_it() {
        let null = || Expr::Null(DataType::Int64);
        let at = |text: &str, mask: Expr| {
            let (path, mask) = placed(&data_type(), path(text), mask);
            format!("{} {mask}", path.join("."))
        };
        assert_eq!(at("a", Expr::Null(DataType::Text)), "a null:text");
        assert_eq!(at("b", stars()), "b '***'");
        assert!(at("b", Expr::Null(DataType::Text)).starts_with(" null:struct<"));
        assert!(at("c.d", null()).starts_with("c null:struct<d:int64!,e:text>"));
        assert!(at("f.g", null()).starts_with("f null:list<struct<g:int64!>>"));
    }

    #[test]
    fn masks_of_different_fields_combine_and_of_the_same_only_if_equal() {
        let (x, null) = (Expr::Literal(Literal::Text("x".into())), Expr::Null(DataType::Text));
        let both = |left: &[(&str, Expr)], right: &[(&str, Expr)]| {
            let (left, right) = (mask(left), mask(right));
            let combined = both(&left, &right).unwrap();
            assert_eq!(combined, both(&right, &left).unwrap());
            fields_of(&combined)
        };
        assert_eq!(both(&[("a", stars())], &[("c.e", x.clone())]), ["a '***'", "c.e 'x'"]);
        assert_eq!(both(&[("a", x.clone())], &[("a", x.clone())]), ["a 'x'"]);
        assert_eq!(both(&[("a", x.clone())], &[("a", null)]), ["a '***'"]);
        let around = Expr::Null(field(&data_type(), &path("c")).unwrap().data_type.clone());
        let shown = both(&[("c", around)], &[("a", x.clone()), ("c.e", x.clone())]);
        assert_eq!(shown, ["a 'x'", "c null:struct<d:int64!,e:text>"]);
        // One mask lies inside the other's field: what is around both is redacted.
        let d = |value| Expr::Literal(Literal::Integer { value, data_type: DataType::Int64 });
        let of_c = || field(&data_type(), &path("c")).unwrap().data_type.clone();
        let as_it_is = Expr::Column { index: 0, name: "value".into(), data_type: of_c() };
        for around in [Expr::Null(of_c()), as_it_is] {
            assert_eq!(both(&[("c", around)], &[("c.d", d(1))]), ["c null:struct<d:int64!,e:text>"]);
        }
        // What cannot be NULL is redacted with what is around it, whatever else is masked there.
        assert_eq!(
            both(&[("c.d", d(1)), ("c.e", x.clone())], &[("c.d", d(2))]),
            ["c null:struct<d:int64!,e:text>"]
        );
        assert_eq!(super::both(&mask(&[("a", x)]), &stars()), None);
    }

    #[test]
    fn masks_agree_where_no_field_is_masked_in_two_ways() {
        let x = || Expr::Literal(Literal::Text("x".into()));
        let around = Expr::Null(field(&data_type(), &path("c")).unwrap().data_type.clone());
        let some = mask(&[("a", x()), ("c.e", stars())]);
        for (other, expected) in [
            (mask(&[("a", x()), ("c.e", stars())]), true),
            (mask(&[("a", x())]), true),
            (mask(&[("b", x())]), true),
            (mask(&[("a", x()), ("c.e", x())]), false),
            (mask(&[("a", stars())]), false),
            (mask(&[("c", around)]), false),
            (stars(), false),
        ] {
            assert_eq!((agree(&some, &other), agree(&other, &some)), (expected, expected), "{other}");
        }
    }

    #[test]
    fn what_lies_inside_a_masked_field_is_masked_with_it() {
        let around = Expr::Null(field(&data_type(), &path("c")).unwrap().data_type.clone());
        assert_eq!(fields_of(&mask(&[("c.e", stars()), ("c", around)])).len(), 1);
        assert!(matches!(mask(&[("", stars()), ("a", stars())]), Expr::Null(_)));
    }
}
