//! Whose events the next commit carries where it can not carry all.

use std::collections::HashMap;

use hookmill_domain::integration::OrganizationKey;

/// How many rows the events of a commit may come to, beside those of its first call and of its last: what comes meanwhile waits for all of them.
pub(super) const ROWS_MAX: usize = 4_000;

/// Which of these the next commit carries: whoever has waited longest, and then those whose organization asks for least, so that nobody who
/// posts little waits for those who post much. Each is told by its organization and its rows.
pub(super) fn in_turns(asked: &[(Option<OrganizationKey>, usize)]) -> Vec<bool> {
    let mut of_organizations: HashMap<_, usize> = HashMap::new();
    let turn = |(position, &(organization, rows)): (usize, &(Option<OrganizationKey>, usize))| {
        let of_organization = of_organizations.entry(organization).or_default();
        *of_organization = of_organization.saturating_add(rows);
        (if position == 0 { 0 } else { *of_organization }, position, rows)
    };
    let mut turns: Vec<_> = asked.iter().enumerate().map(turn).collect();
    turns.sort_unstable();
    let (mut left, mut is_taken) = (ROWS_MAX, vec![false; asked.len()]);
    for (_, position, rows) in turns {
        if left == 0 {
            break;
        }
        if position > 0 {
            left = left.saturating_sub(rows);
        }
        is_taken[position] = true;
    }
    is_taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_posts_little_does_not_wait_for_those_who_post_much() {
        let [loud, louder, quiet] = [1, 2, 3].map(|key| Some(OrganizationKey(key)));
        assert_eq!(in_turns(&[(loud, 10_000)]), [true], "one call alone has its commit");
        let taken = in_turns(&[
            (loud, 3000),
            (loud, 3000),
            (louder, 10_000),
            (loud, 1000),
            (quiet, 2),
            (louder, 1),
            (quiet, 3),
        ]);
        assert_eq!(taken, [true, true, false, true, true, false, true]);
        // Whoever has waited longest goes on, and so do those beside it: also one that asks for more than a commit, but for less than others.
        let taken = in_turns(&[(louder, 10_000), (louder, 10_000), (loud, 4500), (quiet, 1)]);
        assert_eq!(taken, [true, false, true, true]);
        // As many as fit go at once.
        let asked: Vec<_> = (0..5000).map(|number| (Some(OrganizationKey(number % 7)), 1)).collect();
        assert_eq!(in_turns(&asked).into_iter().filter(|taken| *taken).count(), 1 + ROWS_MAX);
    }
}
