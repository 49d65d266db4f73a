//! How a secret is written: YAML drops a comment, joins lines, and gives some characters a meaning of
//! their own, so that a secret without quotes may silently become another one.

/// The quotes that word processors put in place of straight ones.
const CURLY_QUOTES: &str = "“”„‟‘’‚‛«»‹›";

/// What is wrong with a text, as its first line has it from the text's beginning on; `read` is what
/// YAML takes it for.
pub(super) fn mistake(line: &str, read: Option<&str>) -> Option<String> {
    let first = line.chars().next()?;
    let is_comment = line == "#" || line.starts_with("# ");
    if "&!#{[".contains(first) && !is_comment {
        return Some(format!(
            "a value that begins with {first} must be in quotes"
        ));
    }
    if CURLY_QUOTES.contains(first) {
        return Some(format!(
            "begins with {first}: put the value in straight quotes (' or \")"
        ));
    }
    // What is in quotes, of several lines on purpose, or defined elsewhere is not written like this.
    let plain = read.filter(|_| !"'\"|>*".contains(first))?;
    let Some(rest) = line.strip_prefix(plain) else {
        return Some(
            "goes on in the next line: check the indentation there, or put the value in quotes"
                .into(),
        );
    };
    let comment = rest.trim_start().strip_prefix('#')?;
    comment
        .starts_with(|c: char| !c.is_whitespace())
        .then(|| {
            "has ` #` in it, where a comment begins: put the value in quotes, or write a space after the #"
                .into()
        })
}
