//! When changed configuration files are read again: only when two looks in a row find the same, so
//! that a file is not taken while it is being written. Pure; what a look finds comes in.

/// Follows what files hold; `S` is a look at all of them.
#[derive(Debug)]
pub struct Debounce<S> {
    /// What was read last, used or refused.
    settled: S,
    /// Something else, seen once.
    candidate: Option<S>,
}

/// What a look calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it is what was read last.
    Rest,
    /// Another look: it differs, and may still change.
    Wait,
    /// Reading: it differs and has come to rest.
    Read,
}

/// What to do with a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Use it: it was read from what the looks agreed on.
    Use,
    /// Drop it and look again: it was read from something else.
    Drop,
}

impl<S: PartialEq> Debounce<S> {
    /// Goes on from what was read at start-up.
    pub fn new(settled: S) -> Self {
        Self { settled, candidate: None }
    }

    /// The newest look; the next one must cover what it covers.
    pub fn newest(&self) -> &S {
        self.candidate.as_ref().unwrap_or(&self.settled)
    }

    /// Takes a look in.
    pub fn look(&mut self, seen: S) -> Step {
        if seen == self.settled {
            self.candidate = None;
            return Step::Rest;
        }
        if self.candidate.as_ref() == Some(&seen) {
            return Step::Read;
        }
        self.candidate = Some(seen);
        Step::Wait
    }

    /// Takes in what a reading that [`Step::Read`] called for was made from.
    pub fn read(&mut self, read: S) -> Verdict {
        if self.candidate.as_ref() == Some(&read) {
            self.candidate = None;
            self.settled = read;
            return Verdict::Use;
        }
        self.candidate = Some(read);
        Verdict::Drop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks one after another; a reading finds what the look before it found.
    #[track_caller]
    fn check(looks: &str, used: &str) {
        let mut debounce = Debounce::new('a');
        let mut found = String::new();
        for seen in looks.chars() {
            if debounce.look(seen) == Step::Read && debounce.read(seen) == Verdict::Use {
                found.push(seen);
            }
        }
        assert_eq!(found, used, "{looks}");
    }

    #[test]
    fn a_change_is_used_once_when_two_looks_agree() {
        check("aaaa", "");
        check("abbbb", "b");
        check("bbcc", "bc");
        check("bbaa", "ba");
    }

    #[test]
    fn what_still_changes_or_was_taken_back_is_not_used() {
        check("bcdefgh", "");
        check("bcdefgghh", "gh");
        check("baba", "");
        check("bab", "");
    }

    #[test]
    fn a_reading_of_something_else_than_was_looked_at_is_dropped() {
        let mut debounce = Debounce::new('a');
        assert_eq!(debounce.look('b'), Step::Wait);
        assert_eq!(debounce.look('b'), Step::Read);
        assert_eq!(debounce.read('c'), Verdict::Drop);
        assert_eq!(*debounce.newest(), 'c');
        assert_eq!(debounce.look('c'), Step::Read);
        assert_eq!(debounce.read('c'), Verdict::Use);
        assert_eq!(debounce.look('c'), Step::Rest);
    }
}
