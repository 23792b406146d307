//! What may be sent to a driver: one statement that reads. Drivers differ in whether they run
//! several statements and whether a connection can be made unable to write, so this looks at the
//! words. It keeps mistakes out; against ill will only the rights of the database's user help.

use super::Query;
use crate::sources::SourceError;

/// What a statement that reads may begin with, in any of the dialects.
const READING: [&str; 10] = [
    "SELECT",
    "WITH",
    "VALUES",
    "TABLE",
    "FROM",
    "SHOW",
    "DESCRIBE",
    "SUMMARIZE",
    "PIVOT",
    "UNPIVOT",
];
/// What changes data, where a statement may begin.
const WRITING: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "MERGE"];

/// Refuses what is not one statement that reads.
pub(super) fn check(query: &Query) -> Result<(), SourceError> {
    let refuse = |message: String| {
        Err(SourceError::Query { origin: query.origin.clone(), at: None, message })
    };
    let words = words(&query.text);
    let last = words.iter().rposition(|word| *word != ";").map_or(0, |place| place + 1);
    let words = &words[..last];
    let Some(first) = words.iter().find(|word| **word != "(") else {
        return refuse("it holds no statement".to_owned());
    };
    if words.contains(&";") {
        return refuse("it holds several statements; only one is run".to_owned());
    }
    let is =
        |word: &str, known: &[&str]| known.iter().any(|known| word.eq_ignore_ascii_case(known));
    if !is(first, &READING) {
        return refuse(format!("it begins with `{}`; only queries are run", shown(first)));
    }
    let begins = |place: usize| {
        let (before, after) = (words.get(place.wrapping_sub(1)), words.get(place + 1));
        before.is_some_and(|word| matches!(*word, "(" | ")"))
            && !after.is_none_or(|word| matches!(*word, "(" | ")" | "," | "."))
    };
    let writes = (0..words.len()).find(|place| is(words[*place], &WRITING) && begins(*place));
    if let Some(place) = writes.or_else(|| words.iter().position(|word| is(word, &["INTO"]))) {
        return refuse(format!("`{}` writes; only queries are run", shown(words[place])));
    }
    Ok(())
}

fn shown(word: &str) -> String {
    crate::sources::error::printable(word)
}

/// Words and signs outside of comments, texts and quoted names.
fn words(sql: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let n_bytes = match first {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => after(rest, "/*", "*/"),
            '\'' => after(rest, "'", "'"),
            '"' => after(rest, "\"", "\""),
            '`' => after(rest, "`", "`"),
            '$' => dollar_quoted(rest),
            c if is_word(c) => {
                let end = rest.find(|c| !is_word(c) && c != '$').unwrap_or(rest.len());
                words.push(&rest[..end]);
                end
            }
            c => {
                if !c.is_whitespace() {
                    words.push(&rest[..c.len_utf8()]);
                }
                c.len_utf8()
            }
        };
        rest = &rest[n_bytes..];
    }
    words
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where what is opened ends; a doubled sign ends one text and begins the next. What is never closed
/// ends with the query, which the database will refuse.
fn after(text: &str, open: &str, close: &str) -> usize {
    let begin = open.len();
    text[begin..].find(close).map_or(text.len(), |place| begin + place + close.len())
}

/// A text in PostgreSQL's `$tag$ … $tag$`, or the one sign.
fn dollar_quoted(text: &str) -> usize {
    let Some(end) = text[1..].find('$') else { return 1 };
    let tag = &text[..end + 2];
    let is_tag =
        tag[1..=end].chars().all(is_word) && !tag[1..].starts_with(|c: char| c.is_ascii_digit());
    if is_tag { after(text, tag, tag) } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shown(sql: &str) -> String {
        let query = Query { text: sql.to_owned(), origin: "it".to_owned() };
        check(&query).map_or_else(|error| error.to_string(), |()| "read".to_owned())
    }

    #[test]
    fn queries_are_run_whatever_words_their_texts_hold() {
        for sql in [
            "SELECT 1;",
            " -- drop; it\n/* ; delete */ select ';', \"into;\", `a;b`, 'it''s; x' from t ; ",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "(SELECT 1) UNION (SELECT 2)",
            "FROM 'data/*.parquet' SELECT count(*)",
            "SELECT $$ ; delete $$, $x$ ; $x$, $1",
            "SELECT (update), (delete, 1), (insert('a', 1, 2, 'b')), updated FROM t",
        ] {
            assert_eq!(shown(sql), "read", "{sql}");
        }
    }

    #[test]
    fn what_writes_and_what_holds_more_than_one_statement_is_refused() {
        for (sql, expected) in [
            ("", "it holds no statement"),
            (" ; -- x", "it holds no statement"),
            ("SELECT 1; SELECT 2", "it holds several statements; only one is run"),
            ("SELECT ';'; DROP TABLE t", "it holds several statements; only one is run"),
            ("SELECT '\\'; DROP TABLE t --'", "it holds several statements; only one is run"),
            ("DROP TABLE t", "it begins with `DROP`; only queries are run"),
            ("copy t TO 'x'", "it begins with `copy`; only queries are run"),
            ("PRAGMA query_only = off", "it begins with `PRAGMA`; only queries are run"),
            (
                "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
                "`DELETE` writes; only queries are run",
            ),
            (
                "WITH a AS (SELECT 1) insert INTO t SELECT * FROM a",
                "`insert` writes; only queries are run",
            ),
            ("SELECT * INTO copy FROM t", "`INTO` writes; only queries are run"),
        ] {
            assert_eq!(shown(sql), format!("run it: {expected}"), "{sql}");
        }
    }
}
