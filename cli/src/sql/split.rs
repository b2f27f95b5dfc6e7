//! Cuts a text into statements at `;`, without understanding SQL: only quotes
//! and comments matter, because a `;` inside them separates nothing. What is a
//! statement and what is not, the gateway says.

/// The statements of `text`, trimmed, without the `;` and without empty ones.
pub(crate) fn statements(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    let mut inside = Inside::Nothing;
    let mut has_content = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        let before = inside;
        inside = inside.after(character, next);
        if before == Inside::Nothing && inside == Inside::Nothing && character == ';' {
            finish(&mut statements, &mut current, &mut has_content);
            continue;
        }
        let is_comment = before.is_comment() || inside.is_comment();
        has_content |= !is_comment && !character.is_whitespace();
        current.push(character);
        // `--`, `/*` and `*/` are two characters wide.
        if before.is_comment() != inside.is_comment() && character != '\n' {
            current.extend(characters.next());
        }
    }
    finish(&mut statements, &mut current, &mut has_content);
    statements
}

fn finish(statements: &mut Vec<String>, current: &mut String, has_content: &mut bool) {
    if std::mem::take(has_content) {
        statements.push(current.trim().to_owned());
    }
    current.clear();
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    /// `'text'`; a doubled quote leaves and enters again, which comes to the same.
    Text,
    /// `"name"`.
    Name,
    LineComment,
    /// Nested, as in the SQL standard.
    BlockComment(u32),
}

impl Inside {
    fn after(self, character: char, next: Option<char>) -> Self {
        match (self, character, next) {
            (Self::Nothing, '\'', _) => Self::Text,
            (Self::Nothing, '"', _) => Self::Name,
            (Self::Nothing, '-', Some('-')) => Self::LineComment,
            (Self::Nothing, '/', Some('*')) => Self::BlockComment(1),
            (Self::Text, '\'', _) | (Self::Name, '"', _) | (Self::LineComment, '\n', _) => Self::Nothing,
            (Self::BlockComment(1), '*', Some('/')) => Self::Nothing,
            (Self::BlockComment(depth), '*', Some('/')) => Self::BlockComment(depth.saturating_sub(1)),
            (Self::BlockComment(depth), '/', Some('*')) => Self::BlockComment(depth.saturating_add(1)),
            (state, ..) => state,
        }
    }

    fn is_comment(self) -> bool {
        matches!(self, Self::LineComment | Self::BlockComment(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_end_statements() {
        assert_eq!(statements("select 1;\nselect 2;\n"), ["select 1", "select 2"]);
        assert_eq!(statements("select 1"), ["select 1"]);
        assert_eq!(statements(" ;; \n ; "), Vec::<String>::new());
        assert_eq!(statements(""), Vec::<String>::new());
    }

    #[test]
    fn quotes_and_comments_hide_separators() {
        for whole in [
            "select ';' as a, 'it''s; fine'",
            "select 1 as \"a;b\"",
            "select 1 -- not; here\n, 2",
            "select /* a; /* b; */ c; */ 1",
            "select 4 / 2, 3 - -1, 'a--b;'",
            "select '/*;' , '*/'",
        ] {
            assert_eq!(statements(whole), [whole], "{whole}");
        }
    }

    #[test]
    fn comments_alone_are_no_statement() {
        assert_eq!(statements("-- nothing\n/* here; */\n"), Vec::<String>::new());
        assert_eq!(statements("select 1; -- the end"), ["select 1"]);
        assert_eq!(statements("/*/ still; a comment */ select 1"), ["/*/ still; a comment */ select 1"]);
    }

    #[test]
    fn what_is_never_closed_goes_on_to_the_end() {
        assert_eq!(statements("select 'a; b"), ["select 'a; b"]);
        assert_eq!(statements("select 1 /* a; b"), ["select 1 /* a; b"]);
    }
}
