//! A target's corpus as it is kept: a text with one input a line, bytes that are no plain text written as `\x1f`, a backslash as `\\`.

/// The inputs that stand in a text.
///
/// # Panics
/// When a backslash is followed by something else.
pub(crate) fn inputs(text: &str) -> Vec<Vec<u8>> {
    text.lines()
        .map(|line| input(line).unwrap_or_else(|| panic!("no input: {line}")))
        .collect()
}

fn input(line: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(line.len());
    let mut rest = line.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                b'\\' => b'\\',
                b'x' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
                _ => return None,
            },
            byte => byte,
        });
    }
    Some(bytes)
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}
